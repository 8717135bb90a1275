"""What compiled statements promise, broken on purpose."""

from tests.sabotage import Sabotage

DB = "library/plumbline_tests/db/"
COMPILING, STATEMENTS = "library/plumbline/db/compiling.py", "library/plumbline/db/statements.py"
TYPES, REFUSALS = DB + "test_statement_types.py::", DB + "test_statement_refusals.py::"
STORED = TYPES + "test_every_type_is_stored_and_read_as_by_a_session"
REFUSED = REFUSALS + "test_statement_that_cannot_be_compiled_once_is_refused"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "take values as the driver reads them",
        COMPILING,
        "return readers if any(readers) else ()",
        "return ()",
        STORED,
    ),
    Sabotage(
        "give the driver values as they are",
        STATEMENTS,
        "    for name, convert in compiled.write.items():",
        "    for name, convert in {}.items():",
        STORED,
    ),
    Sabotage(
        "convert columns by their place among the named ones",
        COMPILING,
        "columns = compiled._result_columns  # noqa: SLF001",
        "columns = compiled.statement.exported_columns",
        STORED,
    ),
    Sabotage(
        "take all numbers for exact ones",
        COMPILING,
        "return _FLOAT8 if isinstance(of, Float) else _NUMERIC",
        "return _NUMERIC if True else _NUMERIC",
        STORED,
    ),
    Sabotage(
        "store NULL in place of a default of Python",
        STATEMENTS,
        "made = {name: make() for name, make in compiled.defaults.items()}",
        "made = dict.fromkeys(compiled.defaults)",
        TYPES + "test_defaults_of_python_are_run_for_each_row",
    ),
    Sabotage(
        "run a default that reads other values",
        COMPILING,
        "if default.is_callable and _reads_others(default.arg):",
        "if False:",
        REFUSALS + "test_default_that_reads_other_values_is_refused",
    ),
    Sabotage(
        "compile IN with a list",
        COMPILING,
        "    if compiled.post_compile_params:\n",
        "    if False:\n",
        REFUSED,
    ),
    Sabotage(
        "compare a number with a text",
        COMPILING,
        "if not issubclass(said, needed) and not is_number:",
        "if False:",
        REFUSED,
    ),
    Sabotage(
        "leave a parameter out of the statement",
        COMPILING,
        "if unused := types.keys() - binds.keys():",
        "if unused := set[str]():",
        REFUSED,
    ),
    Sabotage(
        "ignore names that a statement does not have",
        STATEMENTS,
        "if values.keys() != compiled.parameters:",
        "if not values.keys() >= compiled.parameters:",
        REFUSALS + "test_wrong_names_are_told",
    ),
    Sabotage(
        "pass by criteria for all statements",
        STATEMENTS,
        "            refuse_listeners(kind)\n",
        "",
        REFUSALS + "test_criteria_for_all_statements_are_not_passed_by",
    ),
    Sabotage(
        "cut the values of a list to the length of the column",
        COMPILING,
        "array = ARRAY(_without_length(of.type))",
        "array = ARRAY(of.type)",
        TYPES + "test_long_value_of_a_list_is_not_cut",
    ),
    Sabotage(
        "give a row that is not there",
        STATEMENTS,
        "            raise NoResultFound(_NO_ROW)\n",
        "            return ()\n",
        TYPES + "test_row_that_is_there_already_is_none",
    ),
)
