"""A pytest plugin: `--quick` leaves out what is slow, unless it is about what has changed.

Changed is what git sees as different from the last commit, or as new. A test is about a changed
file if it is that file, imports it, or has its name, as tests/api/test_posts.py has that of
app/services/posts.py.
"""

import ast
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.postgres import ROOT

# Those that start processes, wait for timeouts, or change the schema.
SLOW = (
    "library/plumbline_tests/db/embedded",
    "library/plumbline_tests/db/test_advice.py",
    "library/plumbline_tests/db/test_after_commit.py",
    "library/plumbline_tests/db/test_changes.py",
    "library/plumbline_tests/db/test_enum_types.py",
    "library/plumbline_tests/db/test_event_loops.py",
    "library/plumbline_tests/db/test_hosts.py",
    "library/plumbline_tests/db/test_keyset.py",
    "library/plumbline_tests/db/test_migrations.py",
    "library/plumbline_tests/db/test_objects.py",
    "library/plumbline_tests/db/test_one_task.py",
    "library/plumbline_tests/db/test_pool.py",
    "library/plumbline_tests/db/test_rate_limits.py",
    "library/plumbline_tests/db/test_safe_migrations.py",
    "library/plumbline_tests/db/test_slow_work.py",
    "library/plumbline_tests/db/test_stale_plans.py",
    "library/plumbline_tests/db/test_statement_types.py",
    "library/plumbline_tests/db/test_statements.py",
    "library/plumbline_tests/db/test_tenants.py",
    "library/plumbline_tests/db/test_two_heads.py",
    "library/plumbline_tests/db/test_written_scripts.py",
    "library/plumbline_tests/doctor",
    "library/plumbline_tests/faults",
    "library/plumbline_tests/http/test_after_commit.py",
    "library/plumbline_tests/http/test_bodies.py",
    "library/plumbline_tests/http/test_cors.py",
    "library/plumbline_tests/http/test_cors_in_browser.py",
    "library/plumbline_tests/http/test_headers.py",
    "library/plumbline_tests/http/test_listing.py",
    "library/plumbline_tests/http/test_memory.py",
    "library/plumbline_tests/http/test_metrics.py",
    "library/plumbline_tests/http/test_parts_alone.py",
    "library/plumbline_tests/http/test_protocol.py",
    "library/plumbline_tests/http/test_slow_requests.py",
    "library/plumbline_tests/http/test_two_databases.py",
    "library/plumbline_tests/http/test_unread.py",
    "library/plumbline_tests/http/test_websockets.py",
    "library/plumbline_tests/pitfalls/test_commit_after_response.py",
    "library/plumbline_tests/pitfalls/test_commit_before_response.py",
    "library/plumbline_tests/test_logging.py",
    "library/plumbline_tests/test_seeding.py",
    "library/plumbline_tests/test_telemetry.py",
    "library/plumbline_tests/test_text.py",
    "library/plumbline_tests/testing",
    "tests/api/test_access.py",
    "tests/api/test_admin.py",
    "tests/api/test_guessing.py",
    "tests/api/test_holding.py",
    "tests/api/test_oauth.py",
    "tests/api/test_openapi_tools.py",
    "tests/api/test_passwords.py",
    "tests/core/test_config.py",
    "tests/core/test_production.py",
    "tests/db/test_grants.py",
    "tests/db/test_growth.py",
    "tests/db/test_init_db.py",
    "tests/db/test_migrations.py",
    "tests/db/test_new_table.py",
    "tests/db/test_statement_equality.py",
    "tests/deploy",
    "tests/faults",
    "tests/http/test_compiled_service.py",
    "tests/http/test_cors_in_browser.py",
    "tests/pitfalls/test_asyncpg_missing.py",
    "tests/scaffold/test_commands.py",
    "tests/scaffold/test_made_up_resources.py",
    "tests/scaffold/test_removal.py",
    "tests/test_adopt.py",
    "tests/test_cli.py",
    "tests/test_development.py",
    "tests/test_doctor.py",
    "tests/test_doctor_hooks.py",
    "tests/test_imports.py",
    "tests/test_main.py",
    "tests/test_mounted_commands.py",
    "tests/test_new_project.py",
    "tests/test_new_project_without_posts.py",
    "tests/test_new_service.py",
    "tests/test_project_update.py",
    "tests/test_proofs.py",
    "tests/test_recipe.py",
    "tests/test_request_page.py",
    "tests/test_seed.py",
    "tests/test_speed.py",
    "tests/test_without_posts.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="Fast tests, and those of what changed.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.option.quick:
        return
    changed = _changed_files()
    slow = [item for item in items if _is_slow(item.path) and not _is_about(item.path, changed)]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


def _is_slow(path: Path) -> bool:
    return path.relative_to(ROOT).as_posix().startswith(SLOW)


@cache
def _is_about(path: Path, changed: frozenset[Path]) -> bool:
    if path in changed:
        return True
    modules = {_module(file) for file in changed}
    names = {f"test_{file.stem}" for file in changed}
    return path.stem in names or bool(modules & _imports(path))


def _module(file: Path) -> str:
    """As it is imported."""
    folder = ROOT / "library" if file.is_relative_to(ROOT / "library") else ROOT
    return ".".join(file.relative_to(folder).with_suffix("").parts)


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    sources = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    members = {f"{node.module}.{name.name}" for node in sources for name in node.names}
    return plain | members | {str(node.module) for node in sources}


def _changed_files() -> frozenset[Path]:
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return frozenset(ROOT / line[3:] for line in said.splitlines() if line.endswith(".py"))
