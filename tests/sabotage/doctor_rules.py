"""What the rules of the doctor tell apart, broken on purpose."""

from tests.sabotage import Sabotage

RULES = "library/plumbline/doctor/"
TESTS = "library/plumbline_tests/doctor/"
SILENT = TESTS + "test_silence.py::test_what_only_looks_like_a_fault_has_no_finding"
UNSAFE = TESTS + "test_migration_rules.py::test_unsafe_operation_is_found_however_it_is_written"
SAFE = TESTS + "test_migration_rules.py::test_safe_operation_has_no_finding"
SEEN = TESTS + "test_migration_rules.py::test_model_that_alembic_sees_in_another_way_has_no_finding"
OURS = "tests/test_doctor.py::test_doctor_finds_nothing_in_this_project"
BRANCH = TESTS + "test_templates.py::test_fault_in_a_branch_of_a_template_is_found_at_its_line"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "let the doctor forget constraints over a look-up",
        RULES + "tables.py",
        "            model.unique.update(_unique_together(value))\n",
        "            pass\n",
        SILENT,
    ),
    Sabotage(
        "let the doctor forget locks over a look-up",
        RULES + "rules/conflicts.py",
        "    if _SAFE.search(ast.unparse(function)):\n",
        "    if False:\n",
        SILENT,
    ),
    Sabotage(
        "let the doctor guess what unknown bases bring",
        RULES + "tables.py",
        "            model.is_whole = False\n",
        "            pass\n",
        SILENT,
    ),
    Sabotage(
        "let the doctor count groups as pages",
        RULES + "rules/statements.py",
        "        and len(above.args) == 1\n",
        "",
        SILENT,
    ),
    Sabotage(
        "let the doctor distrust every token",
        RULES + "rules/security.py",
        "if _is_unverified(call) and _is_sent(function, call)]",
        "if _is_unverified(call)]",
        SILENT,
    ),
    Sabotage(
        "let the doctor read all stages of a Dockerfile",
        RULES + "rules/deployment.py",
        "if number >= max(stages, default=0) and",
        "if",
        SILENT,
    ),
    Sabotage(
        "let the doctor call tables of the migration itself blocked",
        RULES + "operations.py",
        "        and operation.table not in _tables_made(project, module)\n",
        "",
        SAFE,
    ),
    Sabotage(
        "let the doctor overlook operations of a batch",
        RULES + "operations.py",
        "    if name not in _TABLE_AT or not (is_of_alembic or batch):\n",
        "    if name not in _TABLE_AT or not is_of_alembic:\n",
        UNSAFE,
    ),
    Sabotage(
        "let the doctor overlook migrations in SQL",
        RULES + "operations.py",
        '    if name == "execute" and is_of_alembic:\n',
        "    if False:\n",
        UNSAFE,
    ),
    Sabotage(
        "let the doctor read each year's migrations alone",
        RULES + "histories.py",
        "        folder, script = path[: found.end()], _script(module)\n",
        '        folder, script = path.rpartition("/")[0], _script(module)\n',
        TESTS + "test_migration_rules.py"
        "::test_only_the_newest_migration_is_looked_at_also_in_folders_by_year",
    ),
    Sabotage(
        "let the doctor overlook code that finds models",
        RULES + "rules/environment.py",
        "        if _DYNAMIC.search(module.source):\n",
        "        if False:\n",
        SEEN,
    ),
    Sabotage(
        "let the doctor take all models for one base's",
        RULES + "rules/environment.py",
        "if roots & targets and model.module",
        "if model.module",
        SEEN,
    ),
    Sabotage(
        "let the doctor read all branches of a template",
        RULES + "templates.py",
        "    for choice in (_with_postgresql, _all, _last):\n",
        "    for choice in (_all, _last):\n",
        BRANCH,
    ),
    Sabotage(
        "let the doctor prefer no branch of a template",
        RULES + "templates.py",
        "        if _WANTED.search(each) and not _ANOTHER.search(each):\n",
        "        if False:\n",
        BRANCH,
    ),
    Sabotage(
        "let the doctor forget what a template renames",
        RULES + "project.py",
        "for name in {module.name, later_name(module.path)}:",
        "for name in {module.name}:",
        BRANCH,
    ),
    Sabotage(
        "let a model of the service not fetch what an update sets",
        "library/plumbline/db/base.py",
        '    __mapper_args__: Any = {"eager_defaults": True}',
        "    __mapper_args__: Any = {}",
        OURS,
    ),
    Sabotage(
        "let a relationship of the service load when it is read",
        "app/db/models/access_token.py",
        'relationship(lazy="raise_on_sql")',
        "relationship()",
        OURS,
    ),
    Sabotage(
        "let sessions of the library expire what they have",
        "library/plumbline/db/read_session.py",
        "        expire_on_commit=False,\n",
        "",
        OURS,
    ),
    Sabotage(
        "let the doctor believe what a model takes back",
        RULES + "rules/models.py",
        '            if text.count("__mapper_args__") == 1:\n',
        "            if False:\n",
        TESTS + "test_sessions_and_models.py"
        "::test_value_of_the_server_is_fetched_by_each_model_that_has_it",
    ),
    Sabotage(
        "let the doctor look for open sessions in dependencies alone",
        RULES + "rules/transactions.py",
        "                if _is_closed(function, name) or (\n",
        "                if not is_dependency or _is_closed(function, name) or (\n",
        TESTS
        + "test_sessions_and_models.py::test_session_of_a_function_is_closed_also_if_it_fails",
    ),
)
