"""Templates of projects: files with Jinja in them, in folders whose names it writes."""

from pathlib import Path

import pytest

from plumbline.doctor.finding import Severity
from plumbline_tests.doctor.projects import found, look

HOME = "template/{{cookiecutter.name}}"
LATE = """
async def get_db() -> AsyncSession:
    async with factory.begin() as session:  # here
        yield session
"""
HEAD = """
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

factory = async_sessionmaker(expire_on_commit=False)
"""
NOTHING = """
async def get_db():
    yield None
"""
ROUTE = """
from fastapi import Depends, FastAPI

from {{ cookiecutter.name }}.db.session import get_db

app = FastAPI()
{%- if cookiecutter.posts %}


@app.post("/posts")
async def create_post(db: object {%- if cookiecutter.tasks %} = Depends(get_db) {%- endif %}):
    db.add(object())
{%- endif %}
"""
BRANCHES = {
    "the only one": "{%- if cookiecutter.db %}{LATE}{%- endif %}\n",
    "the first": "{% if use_postgres %}{LATE}{% elif a %}{NOTHING}{% else %}{NOTHING}{% endif %}",
    "a later one": "{% if db == 'mongo' %}{NOTHING}{% elif db == 'postgres' %}{LATE}{% endif %}\n",
    "where it is not left out": "{% if not db %}{NOTHING}{% else %}{LATE}{% endif %}\n",
    "within another": "{% if a %}{% if b %}{LATE}{% else %}{NOTHING}{% endif %}{% endif %}\n",
    "beside comments and loops": "{# no {% tag #}{% for x in y %}{LATE}{% endfor %}\n",
}


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("folder", ["db", "db_sa"])
def test_fault_in_a_branch_of_a_template_is_found_at_its_line(
    branch: str, folder: str, tmp_path: Path
) -> None:
    text = HEAD + BRANCHES[branch].replace("{LATE}", LATE).replace("{NOTHING}", NOTHING)
    line = next(n for n, each in enumerate(text.splitlines(), 1) if each.endswith("# here"))
    path = f"{HOME}/{{{{cookiecutter.name}}}}/{folder}/session.py"
    files = {path: text, f"{HOME}/{{{{cookiecutter.name}}}}/main.py": ROUTE}

    assert found(tmp_path, files) == [("PL001", path, line)]


SHAPES = {
    "a name that is written into another": "class {{ name }}Model:\n    pass\n",
    "a line that goes on": "def url() -> {%- if a %}\n    str {%- else %} int {%- endif %}: ...\n",
    "newer Python": "{% if a %}\ntype Ids = list[int]\n{% endif %}\n",
    "no tag but a name": "from {{cookiecutter.name}}.settings import settings\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_template_is_read_in_each_shape(shape: str, tmp_path: Path) -> None:
    files = {"{{name}}/app.py": f"import fastapi\n{SHAPES[shape]}", "{{name}}/db.py": HEAD}

    assert look(tmp_path, files).unread == []


def test_version_in_a_manifest_of_a_template_counts(tmp_path: Path) -> None:
    manifest = (
        '[project]\nname = "{{ name }}"\ndependencies = [\n{%- if a %}\n"fastapi==0.110.0",\n'
        "{%- endif %}\n]\n"
    )
    files = {"{{name}}/db/session.py": HEAD + LATE, "{{name}}/pyproject.toml": manifest}
    files["{{name}}/main.py"] = ROUTE.replace("cookiecutter.name", "name")

    assert [each.severity for each in look(tmp_path, files).findings] == [Severity.HAZARD]
