"""What deploys the service, and development data."""

from tests.sabotage import Sabotage

FILES = "tests/deploy/test_files.py::"
SEED = "tests/test_seed.py::"
APP = "deploy/kubernetes/app.yaml"
SEEDING = "library/plumbline/seeding/"
TABLES = "library/plumbline_tests/test_seeding.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "kill a pod that still finishes its requests",
        APP,
        "terminationGracePeriodSeconds: 60",
        "terminationGracePeriodSeconds: 30",
        FILES + "test_service_has_the_time_that_it_may_take_to_stop",
    ),
    Sabotage(
        "let a request take longer than the pod has to stop",
        APP,
        'STOP_TIMEOUT_SECONDS: "20"',
        'STOP_TIMEOUT_SECONDS: "40"',
        FILES + "test_service_has_the_time_that_it_may_take_to_stop",
    ),
    Sabotage(
        "deploy more pods than the database has connections for",
        APP,
        "replicas: 3",
        "replicas: 5",
        FILES + "test_connections_of_a_deploy_fit_into_the_database",
    ),
    Sabotage(
        "restart pods when the database is down",
        APP,
        "livenessProbe: # never asks the database: its outage is no reason to restart\n"
        "            httpGet: { path: /livez,",
        "livenessProbe: # never asks the database: its outage is no reason to restart\n"
        "            httpGet: { path: /readyz,",
        FILES + "test_probes_ask_what_answers_them",
    ),
    Sabotage(
        "misspell a field of Kubernetes",
        APP,
        "revisionHistoryLimit: 5",
        "revisionHistorylimit: 5",
        FILES + "test_files_pass",
    ),
    Sabotage(
        "misspell a word of Compose",
        "compose.yaml",
        "shm_size: 256mb",
        "shmsize: 256mb",
        FILES + "test_files_pass",
    ),
    Sabotage(
        "run the image as root",
        "Dockerfile",
        "USER 10001:10001\n",
        "",
        FILES + "test_pod_is_no_root_and_writes_nowhere_but_into_its_memory",
    ),
    Sabotage(
        "run PostgreSQL so that it loses what it acknowledged",
        "compose.yaml",
        "-c fsync=on ",
        "-c fsync=off ",
        FILES + "test_database_keeps_what_it_acknowledges",
    ),
    Sabotage(
        "serve as the role that owns the tables",
        "compose.yaml",
        "secrets: [{ source: APP_URL, target: DATABASE_URL }]",
        "secrets: [{ source: OWNER_URL, target: DATABASE_URL }]",
        FILES + "test_migration_is_a_step_of_its_own_by_the_role_that_owns_the_tables",
    ),
    Sabotage(
        "make new passwords each time",
        "deploy/make_secrets.sh",
        '[ -s "secrets/$1" ] || printf',
        "printf",
        FILES + "test_secrets_are_random_and_stay",
    ),
    Sabotage(
        "archive what was written only when a segment is full",
        "compose.yaml",
        " --synchronous\n",
        "\n",
        FILES + "test_archive_is_received_as_the_page_says",
    ),
    Sabotage(
        "read no secrets",
        "library/plumbline/settings.py",
        "_secrets_dir=folder)",
        "_secrets_dir=None)",
        "tests/core/test_config.py::test_secret_is_a_file_called_as_its_setting",
    ),
    Sabotage(
        "bring containers to whoever wants none",
        "library/plumbline/template/rendering.py",
        "if not any(fnmatch(path, pattern) for pattern in patterns)",
        "if path",
        "tests/test_new_project.py::test_project_without_containers_has_none_of_their_files",
    ),
    Sabotage(
        "tell people of an option that there is not",
        "docs/start.md",
        " --without-posts",
        " --no-posts",
        "tests/deploy/test_pages.py::test_command_is_one_that_there_is",
    ),
    Sabotage(
        "seed in production",
        "library/plumbline/cli/seed.py",
        "if service.is_production:",
        "if False:",
        SEED + "test_command_refuses_what_might_be_somebody_elses",
    ),
    Sabotage(
        "seed whatever database there is",
        "library/plumbline/cli/seed.py",
        "if into or _is_of_this_folder(",
        "if True or _is_of_this_folder(",
        SEED + "test_command_refuses_what_might_be_somebody_elses",
    ),
    Sabotage(
        "seed tables that have rows",
        SEEDING + "filling.py",
        "if replace:",
        "if True:",
        SEED + "test_rows_that_are_there_stay",
    ),
    Sabotage(
        "make other rows each time",
        "app/core/security.py",
        ', salt=b"development data")',
        ")",
        SEED + "test_people_are_those_whom_the_api_would_take",
    ),
    Sabotage(
        "number the next row as one that is there",
        SEEDING + "filling.py",
        "if column.identity is not None and done:",
        "if False:",
        SEED + "test_next_row_has_a_number_of_its_own",
    ),
    Sabotage(
        "make rows that are not unique",
        SEEDING + "rows.py",
        "if None not in value and value in seen",
        "if False",
        TABLES + "test_rows_obey_what_the_tables_say",
    ),
    Sabotage(
        "make texts longer than their route takes",
        SEEDING + "values.py",
        "for each in (kind.length, most)",
        "for each in (kind.length, None)",
        TABLES + "test_texts_are_as_short_as_the_routes_want_them",
    ),
    Sabotage(
        "seed by default settings where a server runs in the folder",
        "library/plumbline/cli/running.py",
        "& {*groups, *SINGLE})",
        "& {*groups})",
        "tests/test_development.py::test_commands_reach_the_server_of_this_folder_whatever_its_port",
    ),
)
