"""Resources by chance pass every check of the project, with no edit."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.resource import Resource, add_files
from plumbline.scaffold.running import add_migration
from tests.copies import copy_project, path_of, run_in, run_tests_in
from tests.postgres import ROOT
from tests.scaffold.made_up import resources

# Of five, each route is asked once and the owner's rule tried; of forty all that can be.
SMALL = "({routes}) and (untouched or rule and other and (PATCH or DELETE))"
LARGE = "({routes}) or every_revision or every_foreign or every_constraint or version_moves"


@dataclass(frozen=True)
class Grown:
    copy: Path
    names: list[str]
    proofs: str  # which of them, for -k
    last: str  # the revision

    @property
    def tests(self) -> list[str]:
        return [f"tests/api/test_{name}.py" for name in self.names]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Grown:
    """A copy of the project with all of them, and one migration."""
    is_large = pytestconfig.getoption("--torture")
    seed = pytestconfig.getoption("--seed") if is_large else 1
    made_up = list(resources(seed, 40 if is_large else 5))
    copy = copy_project(tmp_path_factory.mktemp("project"))
    project = Project(copy, "app")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path_of(copy))
        for number in range(0, len(made_up), 5):
            _write(project, made_up[number : number + 5], f"made up {number}")
    names = [each.names.many for each in made_up]
    routes = " or ".join(f"v1/{name}" for name in names)
    script = next((copy / "app/db/migrations/versions").glob("*_made_up_0_*.py"))
    revision = script.read_text().partition('revision = "')[2][:12]
    return Grown(copy, names, (LARGE if is_large else SMALL).format(routes=routes), revision)


def _write(project: Project, resources: list[Resource], message: str) -> None:
    """Those of a script in one plan: each migration starts a PostgreSQL."""
    plan = Plan(project.root)
    for each in resources:
        add_files(plan, project, each)
    add_migration(plan, project, message)
    plan.carry_out()


@pytest.mark.timeout(3600)
def test_made_up_resources_do_what_they_say(grown: Grown) -> None:
    """Their own tests, and the proofs: each goes up and down, its routes are who they should be."""
    chosen = f"{grown.proofs} or {grown.last} or agree or test_are or test_is or api/test_"
    tested = run_tests_in(
        grown.copy, "-q", "-n0", "tests/test_proofs.py", *grown.tests, "-k", chosen
    )

    assert tested.returncode == 0, tested.stdout[-5000:]


def test_made_up_resources_need_no_edit(grown: Grown) -> None:
    # Five tables in one script are more statements than a function should have.
    ruff = ("-m", "ruff", "check", "--no-cache", "--ignore=PLR0915")
    style = run_in(grown.copy, *ruff, "app", "tests")
    form = run_in(grown.copy, "-m", "ruff", "format", "--check", "--no-cache", "app", "tests")

    assert style.returncode == 0, style.stdout[-3000:]
    assert form.returncode == 0, form.stdout[-3000:]


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_made_up_resources_are_typed(grown: Grown) -> None:
    if (ROOT / ".mypy_cache").exists():  # of the check that came before
        shutil.copytree(ROOT / ".mypy_cache", grown.copy / ".mypy_cache")
    types = run_in(grown.copy, "-m", "mypy", "app", *grown.tests)

    assert types.returncode == 0, types.stdout[-3000:]


@pytest.mark.torture
@pytest.mark.timeout(1200)
def test_made_up_resources_are_filled_with_what_the_api_takes(grown: Grown) -> None:
    seeded = run_in(grown.copy, "-m", "tests.scaffold.seeded", *grown.names)

    assert seeded.returncode == 0, seeded.stderr[-5000:]


def test_made_up_resources_keep_to_the_layers(grown: Grown) -> None:
    layers = run_in(grown.copy, "-m", "importlinter.cli", "lint", "--no-cache")

    assert layers.returncode == 0, layers.stdout[-3000:]
