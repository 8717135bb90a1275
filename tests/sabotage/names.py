"""Promises about whose things are, what they are called, and when they are made."""

from tests.sabotage import Sabotage

PROGRAM = "library/plumbline_tests/db/test_program_name.py::"
KEYS = "library/plumbline_tests/pitfalls/test_shared_keys.py::"
IDEMPOTENCY = "library/plumbline/http/idempotency.py"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "let callers share their keys when nobody says whose they are",
        IDEMPOTENCY,
        "    if caller is None:\n        raise TypeError(WHOSE)\n",
        "    caller = caller or everybody\n",
        KEYS + "test_session_that_does_not_know_whose_a_key_is_stops_the_start",
    ),
    Sabotage(
        "take what is no id for whose a key is",
        IDEMPOTENCY,
        "    if isinstance(found, bool) or not isinstance(found, str | int | UUID)",
        "    if False",
        KEYS + "test_key_without_an_owner_is_a_defect_and_stores_nothing",
    ),
    Sabotage(
        "forget the name of the service's command",
        "library/plumbline/db/engine.py",
        "Origin(models, settings.PROGRAM)",
        "Origin(models)",
        PROGRAM + "test_error_of_an_engine_names_the_command_of_its_service",
    ),
    Sabotage(
        "call the command of every service by one name",
        "library/plumbline/db/alembic_commands.py",
        "explain(error, self.migrations.settings.PROGRAM)",
        "explain(error)",
        PROGRAM + "test_error_of_a_migration_names_it_as_well",
    ),
    Sabotage(
        "leave a decision out of the index",
        "docs/adr/README.md",
        "| [2](0002-locked-requirements.md)",
        "| [2](other.md)",
        "tests/test_project.py::test_index_lists_every_decision_with_its_status",
    ),
    Sabotage(
        "name a file that is not there",
        "app/db/models/access_token.py",
        "plumbline/db/sweeping.py",
        "services/sweeping.py",
        "tests/test_words.py::test_files_that_comments_name_are_there",
    ),
    Sabotage(
        "grant the tables of one schema alone",
        "library/plumbline/db/grants.py",
        "sorted({PUBLIC, *schemas})",
        "[PUBLIC]",
        "library/plumbline_tests/db/test_grants_in_schemas.py::test_role_uses_the_tables_of_each_schema",
    ),
    Sabotage(
        "look for tables in one schema alone",
        "library/plumbline/db/privileges.py",
        "unnest(string_to_array(name, '.'))",
        "unnest(ARRAY[name])",
        "library/plumbline_tests/db/test_grants_in_schemas.py::test_role_that_may_change_them_is_told",
    ),
    Sabotage(
        "refuse long lines before they are formatted",
        "Makefile",
        "\t$(BIN)/ruff format --quiet\n\t$(BIN)/ruff check --fix",
        "\t$(BIN)/ruff check --fix",
        "tests/test_recipe.py::test_code_is_formatted_before_the_linter_refuses_long_lines",
    ),
    Sabotage(
        "forget what a rule answers",
        "library/plumbline/http/openapi.py",
        "error_responses(*rule.errors)",
        "error_responses()",
        "library/plumbline_tests/http/test_rule_errors.py"
        "::test_route_has_the_errors_of_its_rule_and_its_own",
    ),
    Sabotage(
        "let any number wait for a thread",
        "library/plumbline/executor.py",
        "self.taken.total() >= places or ",
        "",
        "library/plumbline_tests/test_executor.py::test_work_beyond_the_places_is_refused_at_once",
    ),
    Sabotage(
        "read a setting at import",
        "library/plumbline/db/idempotency.py",
        "        self._settings = IdempotencySettings() if settings is None else settings\n",
        "        self._settings = settings or IdempotencySettings()\n"
        "        assert self._settings.IDEMPOTENCY_SECONDS\n",
        "tests/test_imports.py"
        "::test_settings_are_read_at_import_only_where_the_service_is_put_together",
    ),
)
