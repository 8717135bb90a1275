"""What a person sees when a command cannot do what it is told."""

from tests.sabotage import Sabotage

ANSWERS = "library/plumbline_tests/doctor/test_answers.py::"
CLI = "tests/test_cli.py::"
CONFIG = "tests/core/test_config.py::"
INSTALLED = "tests/test_new_project_installed.py::"
MIGRATIONS = "library/plumbline_tests/db/test_migrations.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "end with a traceback where the system refuses",
        "library/plumbline/cli/running.py",
        "        case OSError(errno=int()):",
        "        case OSError(errno=str()):",
        INSTALLED + "test_folder_that_cannot_be_made_is_one_line",
    ),
    Sabotage(
        "listen to Ctrl-C when all is imported",
        "library/plumbline/cli/main.py",
        "import sys\nfrom collections.abc",
        "import sys\nimport typer\nfrom collections.abc",
        CLI + "test_stop_while_a_command_is_imported_is_one_line",
    ),
    Sabotage(
        "leave what is printed to the exit",
        "library/plumbline/cli/running.py",
        "            sys.stdout.flush()\n",
        "            pass\n",
        CLI + "test_output_that_cannot_be_written_is_one_line",
    ),
    Sabotage(
        "show the words of pydantic",
        "library/plumbline/cli/running.py",
        """.removeprefix('Value error, ')}.\"""",
        """}.\"""",
        CLI + "test_wrong_value_is_told_in_plain_words",
    ),
    Sabotage(
        "take any socket for one to listen on",
        "library/plumbline/cli/serving.py",
        "if fd is None else _inherited(fd)",
        "if fd is None else socket.socket(fileno=fd)",
        "library/plumbline_tests/faults/test_workers.py::"
        "test_descriptor_that_is_no_socket_is_one_line",
    ),
    Sabotage(
        "keep the reason of psycopg to itself",
        "library/plumbline/db/errors.py",
        """return "" if "refused" in words or not words else""",
        """return "" if True else""",
        MIGRATIONS + "test_database_that_cannot_be_migrated_is_explained",
    ),
    Sabotage(
        "find a wrong sslmode at the first connection",
        "library/plumbline/setting_values.py",
        "if not {*_TLS}.issuperset(given[name]):",
        "if False:",
        CONFIG + "test_wrong_setting_is_one_line_that_names_it_and_hides_its_value",
    ),
    Sabotage(
        "start without the settings of a file that is missing",
        "library/plumbline/setting_values.py",
        "        Path(named).stat()\n",
        "",
        CONFIG + "test_place_of_settings_that_is_named_must_be_there",
    ),
    Sabotage(
        "give Alembic the last word",
        "library/plumbline/db/alembic_commands.py",
        'return f"{error}{advice}"',
        "return str(error)",
        MIGRATIONS + "test_unknown_revision_is_explained",
    ),
    Sabotage(
        "show where Python stopped reading a script",
        "library/plumbline/cli/running.py",
        "case SyntaxError(filename=str(), lineno=int()):",
        "case SyntaxError(filename=int()):",
        CLI + "test_script_that_is_no_python_is_one_line",
    ),
    Sabotage(
        "show variables in tracebacks",
        "library/plumbline/late_rich.py",
        ".exception_formatter = dev.plain_traceback",
        ".exception_formatter",
        "library/plumbline_tests/test_late_rich.py::"
        "test_traceback_shows_variables_only_where_the_service_wants_it",
    ),
    Sabotage(
        "end at a file that cannot be read",
        "library/plumbline/doctor/source.py",
        "        except OSError as error:\n",
        "        except KeyError as error:\n",
        ANSWERS + "test_file_that_cannot_be_read_is_named",
    ),
    Sabotage(
        "take any kind of value for what lets findings pass",
        "library/plumbline/doctor/configuration.py",
        "    _check_kinds(given)\n",
        "",
        ANSWERS + "test_wrong_configuration_is_one_line",
    ),
    Sabotage(
        "copy what pip has compiled into new projects",
        "library/plumbline/template/source.py",
        """if each.name == "__pycache__":""",
        """if each.name == "":""",
        INSTALLED + "test_what_pip_compiles_is_no_part_of_the_template",
    ),
    Sabotage(
        "set up a project without the library",
        "library/plumbline/template/overlay/Makefile",
        "$(or $(VENDORED),$(shell sed",
        "$(or $(VENDORED),$(shell : sed",
        INSTALLED + "test_setup_installs_the_library_that_the_locks_lack",
    ),
)
