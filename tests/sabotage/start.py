"""What a process that serves does without, broken on purpose."""

from tests.sabotage import Sabotage

LOADED = "tests/test_speed.py::test_request_costs_no_more_than_it_did"
REVISIONS = "library/plumbline/db/revisions.py"
READ = "library/plumbline_tests/db/test_revisions.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "load Alembic to serve",
        "library/plumbline/db/migrate.py",
        "        if self._read is not None:\n",
        "        if False:\n",
        LOADED,
    ),
    Sabotage(
        "load psycopg to serve",
        "library/plumbline/cli/postgres.py",
        "if TYPE_CHECKING:\n",
        "if True:\n",
        LOADED,
    ),
    Sabotage(
        "load rich to serve",
        "library/plumbline/db/__init__.py",
        "\nimport_structlog()\n",
        "\n",
        LOADED,
    ),
    Sabotage(
        "load the drawing of tracebacks for good",
        "library/plumbline/late_rich.py",
        "            del sys.modules[module]\n",
        "            pass\n",
        "library/plumbline_tests/test_late_rich.py::test_rich_comes_with_the_first_who_asks_for_it",
    ),
    Sabotage(
        "collect garbage while the application is imported",
        "library/plumbline/cli/importing.py",
        "    gc.disable()\n",
        "",
        "library/plumbline_tests/test_late_rich.py::test_collector_rests_while_the_application_loads",
    ),
    Sabotage(
        "look through all that was imported",
        "library/plumbline/cli/importing.py",
        "        gc.freeze()\n",
        "",
        "library/plumbline_tests/test_late_rich.py::test_collector_rests_while_the_application_loads",
    ),
    Sabotage(
        "collect garbage while the server is imported",
        "library/plumbline/cli/serve.py",
        "    with collector_at_rest():\n",
        "    if True:\n",
        "library/plumbline_tests/test_late_rich.py"
        "::test_collector_never_looks_while_the_server_is_imported",
    ),
    Sabotage(
        "believe a revision that a script may change",
        REVISIONS,
        "case ast.Expr(value=ast.Constant()):",
        "case ast.Expr():",
        READ + "test_what_only_running_a_script_shows_is_asked_of_alembic",
    ),
    Sabotage(
        "read one of two heads",
        REVISIONS,
        "len(heads) > 1",
        "len(heads) > 2",
        READ + "test_scripts_at_odds_are_told_by_alembic",
    ),
    Sabotage(
        "look for scripts in one place only",
        REVISIONS,
        "if not folder.is_dir() or _looks_elsewhere(pyproject):",
        "if not folder.is_dir():",
        READ + "test_scripts_elsewhere_are_found_by_alembic",
    ),
    Sabotage(
        "call a target met that is missed",
        "benchmarks/targets.py",
        "                ratio <= aim,\n",
        "                ratio > 0,\n",
        "tests/test_targets.py::test_target_is_met_or_names_the_layer_that_holds_it",
    ),
)
