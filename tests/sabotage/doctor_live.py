"""What the doctor promises of what it finds running, broken on purpose."""

from tests.sabotage import Sabotage

LIVE = "library/plumbline/doctor/live/"
TESTS = "library/plumbline_tests/doctor/"
ANSWERS, SESSIONS = TESTS + "test_live_answers.py::", TESTS + "test_live_sessions.py::"
INSIDE, RUN = "library/plumbline/doctor/inside/", TESTS + "test_run.py::"
IMPORT = TESTS + "test_run_import.py::"
REAL = RUN + "test_each_fault_is_found_where_it_is_and_nothing_else"
RULES, POOLER = TESTS + "test_live_rules.py::", TESTS + "test_live_pooler.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "let the doctor look by a transaction that may write",
        LIVE + "database.py",
        'f"BEGIN READ ONLY; ',
        'f"BEGIN; ',
        ANSWERS + "test_nothing_is_written_and_no_lock_is_waited_for",
    ),
    Sabotage(
        "let the doctor wait for a server as long as it takes",
        LIVE + "database.py",
        "    timer.start()\n",
        "",
        ANSWERS + "test_server_that_does_not_answer_ends_the_look",
    ),
    Sabotage(
        "let the doctor repeat what libpq says of a wrong URL",
        LIVE + "database.py",
        "if isinstance(error, psycopg.OperationalError) else",
        "if error else",
        ANSWERS + "test_what_cannot_be_reached_is_one_line_without_the_password",
    ),
    Sabotage(
        "let the doctor show the values of statements",
        LIVE + "redaction.py",
        '    return " " if part["comment"] else "?"\n',
        "    return part[0]\n",
        SESSIONS + "test_transaction_that_is_left_open_is_named_without_its_values",
    ),
    Sabotage(
        "let the doctor say nothing of what it may not see",
        LIVE + "database.py",
        "        if what not in known:\n            known.append(what)\n",
        "        known.clear()\n",
        SESSIONS + "test_role_is_told_what_it_may_not_see",
    ),
    Sabotage(
        "let any column of an index serve a foreign key",
        LIVE + "schema.py",
        "(i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey",
        "i.indkey::int2[] @> f.conkey",
        RULES + "test_each_shape_of_a_fault_is_found_and_no_other",
    ),
    Sabotage(
        "let the doctor forget how narrow the column of a sequence is",
        LIVE + "schema.py",
        "WHEN 'int4'::regtype THEN 2147483647 ELSE",
        "ELSE",
        RULES + "test_each_shape_of_a_fault_is_found_and_no_other",
    ),
    Sabotage(
        "let the doctor look at the server's settings alone",
        LIVE + "settings.py",
        "        if name in names:\n",
        "        if False:\n",
        RULES + "test_settings_of_a_database_and_of_a_role_in_it_are_found",
    ),
    Sabotage(
        "let the doctor take every pooler for one in session mode",
        LIVE + "pooler.py",
        "return other.execute(_PROCESS).fetchone() == (first,)",
        "return first is None",
        POOLER + "test_pooler_is_noticed_with_its_mode",
    ),
    Sabotage(
        "let the doctor call any number behind a type the same",
        LIVE + "drift.py",
        "return column.type_name not in _BOUNDED or",
        "return True or",
        TESTS + "test_live_models.py::test_each_difference_is_found_by_its_name",
    ),
    Sabotage(
        "let the doctor ask PostgreSQL for no type",
        LIVE + "drift.py",
        "    if found is None:\n",
        "    if True:\n",
        TESTS + "test_live_models.py::test_tables_that_the_models_have_made_do_not_differ",
    ),
    Sabotage(
        "let the doctor ask no imported application for its scopes",
        "library/plumbline/doctor/run/requests.py",
        'if dependency["late_commit"] and dependency["scope"] != "function":',
        'if dependency["late_commit"]:',
        REAL,
    ),
    Sabotage(
        "let the doctor lose who owns a method",
        INSIDE + "commits.py",
        "        names[given[0]] = owner\n",
        "        pass\n",
        REAL,
    ),
    Sabotage(
        "let the doctor forget applications that are mounted",
        INSIDE + "routes.py",
        "        yield from _routes(each.app, path, depth + 1)\n",
        "        return\n",
        REAL,
    ),
    Sabotage(
        "let the doctor judge every pool as one of PostgreSQL",
        "library/plumbline/doctor/run/connections.py",
        'if each["dialect"] == "postgresql" and',
        "if",
        REAL,
    ),
    Sabotage(
        "let an import live on with what it started",
        "library/plumbline/doctor/inside/start.py",
        "    os._exit(0)\n",
        "",
        IMPORT + "test_threads_that_the_import_started_hold_nothing_up",
    ),
    Sabotage(
        "let an import take as long as it likes",
        "library/plumbline/doctor/run/child.py",
        "        return process.wait(seconds)\n",
        "        return process.wait(5 * seconds)\n",
        IMPORT + "test_import_that_does_not_end_is_ended_with_all_that_it_started",
    ),
)
