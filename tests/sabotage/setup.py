"""Promises about the embedded PostgreSQL and the commands, broken on purpose."""

from tests.sabotage import Sabotage

PRIVATE = "library/plumbline_tests/db/embedded/test_private_folders.py::"
DEVELOPMENT = "tests/test_development.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "let access(2) ignore the capability",
        "library/plumbline/db/unprivileged.py",
        ', "--securebits=+no_setuid_fixup"]',
        "]",
        PRIVATE + "test_private_folder_is_no_obstacle_for",
    ),
    Sabotage(
        "know one way to give up root",
        "library/plumbline/db/unprivileged.py",
        "        ((0, 0), namespace),\n",
        "",
        PRIVATE + "test_root_who_lacks_capabilities_gets_another_way_or_one_line",
    ),
    Sabotage(
        "keep a capability that is not needed",
        "library/plumbline/db/unprivileged.py",
        '        ((uid, gid), [*user, "--inh-caps=-all"]),\n',
        "",
        PRIVATE + "test_server_keeps_a_capability_only_where_it_needs_one",
    ),
    Sabotage(
        "watch the commands alone",
        "app/cli/commands.py",
        "    folder=Path(__file__).parents[1],\n",
        "    folder=Path(__file__).parent,\n",
        DEVELOPMENT + "test_edit_of_a_route_is_served",
    ),
    Sabotage(
        "go on without PostgreSQL",
        "library/plumbline/cli/dev.py",
        "            if postgres is not None:",
        "            if postgres is None:",
        DEVELOPMENT + "test_end_of_postgresql_ends_the_command_with_a_line",
    ),
    Sabotage(
        "notice a taken port last",
        "library/plumbline/cli/dev.py",
        "    _refuse_taken_port(service.name, host, port)\n",
        "",
        DEVELOPMENT + "test_address_that_cannot_be_had_is_one_line_before_anything_is_made",
    ),
    Sabotage(
        "let wrong settings hide the help",
        "library/plumbline/cli/running.py",
        "if not _asks_for_help(words, groups):",
        "if words is not None:",
        DEVELOPMENT + "test_help_is_shown_whatever_the_settings_are",
    ),
    Sabotage(
        "run a command in spite of wrong settings",
        "library/plumbline/cli/running.py",
        'words[: words.index("--")] if "--" in words else words',
        "words",
        DEVELOPMENT + "test_wrong_settings_stop_what_is_not_help",
    ),
    Sabotage(
        "look for the server at its usual port alone",
        "library/plumbline/cli/running.py",
        "if url := find_url(POSTGRES):",
        'if url := find_url(POSTGRES / "nowhere"):',
        DEVELOPMENT + "test_commands_reach_the_server_of_this_folder_whatever_its_port",
    ),
    Sabotage(
        "overrule DATABASE_URL",
        "library/plumbline/cli/running.py",
        'uses_database and "DATABASE_URL" not in loaded.model_fields_set',
        "uses_database",
        DEVELOPMENT + "test_commands_reach_the_server_of_this_folder_whatever_its_port",
    ),
    Sabotage(
        "take every number for an option",
        "library/plumbline/cli/terminal.py",
        "command.cls = NumbersAreArguments",
        "command.hidden = False",
        "tests/test_cli.py::test_number_below_zero_is_an_argument",
    ),
    Sabotage(
        "be deaf to SIGINT in the background",
        "library/plumbline/cli/main.py",
        "for number in (signal.SIGTERM, signal.SIGINT):",
        "for number in (signal.SIGTERM,):",
        DEVELOPMENT + "test_curl_session_works_when_pasted_and_its_post_survives_a_restart",
    ),
    Sabotage(
        "leave a dependency of the library out of the lock",
        "requirements/production.txt",
        "\nasyncpg==",
        "\n# asyncpg==",
        "tests/test_locks.py::test_lock_has_all_dependencies_of_both_parts_and_no_address",
    ),
    Sabotage(
        "let the library ask for the settings of a service",
        "library/plumbline/cli/command.py",
        '"plumbline.cli.standalone:cli")',
        '"plumbline.cli.standalone:cli", settings="app.core.config:settings")',
        "tests/test_cli.py::test_command_of_the_library_needs_neither_a_service_nor_settings",
    ),
    Sabotage(
        "migrate with the settings of the service alone",
        "library/plumbline/db/environment.py",
        'given.get("migrations", of_service)',
        "of_service",
        "library/plumbline_tests/db/test_migrations.py"
        "::test_alembic_compares_with_the_models_that_it_is_given",
    ),
    Sabotage(
        "keep the command of Alembic from migrating",
        "library/plumbline/db/environment.py",
        'given.get("migrations", of_service)',
        'given["migrations"]',
        "tests/db/test_migrations.py::test_command_of_alembic_migrates_as_well",
    ),
    Sabotage(
        "grant rights on no column",
        "library/plumbline/db/grants.py",
        "for name in names if name not in lasting]:",
        "for name in names if name not in lasting] or ['']:",
        "library/plumbline_tests/db/test_grants.py"
        "::test_table_of_any_name_with_nothing_to_send_or_to_change_is_granted",
    ),
    Sabotage(
        "trust the certificates that uv brings",
        "Makefile",
        "export UV_SYSTEM_CERTS ?= 1\n",
        "",
        DEVELOPMENT + "test_setup_trusts_the_certificates_of_the_machine",
    ),
)
