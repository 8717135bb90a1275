"""Promises about the embedded PostgreSQL and the commands, broken on purpose."""

from tests.sabotage import Sabotage

PRIVATE = "tests/db/embedded/test_private_folders.py::"
DEVELOPMENT = "tests/test_development.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "let access(2) ignore the capability",
        "app/db/unprivileged.py",
        ', "--securebits=+no_setuid_fixup"]',
        "]",
        PRIVATE + "test_private_folder_is_no_obstacle_for",
    ),
    Sabotage(
        "know one way to give up root",
        "app/db/unprivileged.py",
        "        ((0, 0), namespace),\n",
        "",
        PRIVATE + "test_root_who_lacks_capabilities_gets_another_way_or_one_line",
    ),
    Sabotage(
        "keep a capability that is not needed",
        "app/db/unprivileged.py",
        '        ((uid, gid), [*user, "--inh-caps=-all"]),\n',
        "",
        PRIVATE + "test_server_keeps_a_capability_only_where_it_needs_one",
    ),
    Sabotage(
        "watch the commands alone",
        "app/cli/serving.py",
        "APP = Path(__file__).parents[1]",
        "APP = Path(__file__).parent",
        DEVELOPMENT + "test_edit_of_a_route_is_served",
    ),
    Sabotage(
        "go on without PostgreSQL",
        "app/cli/serving.py",
        "            if postgres is not None:",
        "            if postgres is None:",
        DEVELOPMENT + "test_end_of_postgresql_ends_the_command_with_a_line",
    ),
    Sabotage(
        "notice a taken port last",
        "app/cli/serving.py",
        "    _refuse_taken_port(host, port)\n",
        "",
        DEVELOPMENT + "test_address_that_cannot_be_had_is_one_line_before_anything_is_made",
    ),
    Sabotage(
        "let wrong settings hide the help",
        "app/cli/__init__.py",
        "if not _asks_for_help(words):",
        "if words is not None:",
        DEVELOPMENT + "test_help_is_shown_whatever_the_settings_are",
    ),
    Sabotage(
        "run a command in spite of wrong settings",
        "app/cli/__init__.py",
        'words[: words.index("--")] if "--" in words else words',
        "words",
        DEVELOPMENT + "test_wrong_settings_stop_what_is_not_help",
    ),
    Sabotage(
        "look for the server at its usual port alone",
        "app/cli/__init__.py",
        'if url := find_url(Path(".postgres")):',
        'if url := find_url(Path("nowhere")):',
        DEVELOPMENT + "test_commands_reach_the_server_of_this_folder_whatever_its_port",
    ),
    Sabotage(
        "overrule DATABASE_URL",
        "app/cli/__init__.py",
        'words[:1] in GROUPS and "DATABASE_URL" not in settings.model_fields_set',
        "words[:1] in GROUPS",
        DEVELOPMENT + "test_commands_reach_the_server_of_this_folder_whatever_its_port",
    ),
    Sabotage(
        "take every number for an option",
        "app/cli/commands.py",
        "info.cls = NumbersAreArguments",
        "info.hidden = False",
        "tests/test_cli.py::test_number_below_zero_is_an_argument",
    ),
    Sabotage(
        "be deaf to SIGINT in the background",
        "app/cli/__init__.py",
        "for number in (signal.SIGTERM, signal.SIGINT):",
        "for number in (signal.SIGTERM,):",
        DEVELOPMENT + "test_curl_session_works_when_pasted_and_its_post_survives_a_restart",
    ),
    Sabotage(
        "trust the certificates that uv brings",
        "Makefile",
        "export UV_SYSTEM_CERTS ?= 1\n",
        "",
        DEVELOPMENT + "test_setup_trusts_the_certificates_of_the_machine",
    ),
)
