"""What migrations are promised, broken on purpose."""

from tests.sabotage import Sabotage

MIGRATE, READINESS = "library/plumbline/db/migrate.py", "library/plumbline/db/readiness.py"
ALEMBIC = "library/plumbline/db/alembic_commands.py"
AUTOGENERATE = "library/plumbline/db/autogenerate.py"
ENUMS = "library/plumbline_tests/db/test_enum_types.py::"
CREATED, OBJECTS = "library/plumbline/db/objects.py", "library/plumbline_tests/db/test_objects.py::"
HEADS = "library/plumbline_tests/db/test_two_heads.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "take one of two heads",
        MIGRATE,
        "        if len(self._heads) > 1:\n",
        "        if False:\n",
        HEADS + "test_process_with_two_heads_is_not_ready_and_says_why",
    ),
    Sabotage(
        "name no way out of two heads",
        ALEMBIC,
        "return self.tell_diverged(self.find_heads())",
        "return str(error)",
        HEADS + "test_migrating_to_the_head_of_two_says_the_same",
    ),
    Sabotage(
        "take two known heads for those of a newer program",
        READINESS,
        "all(map(revisions.is_known, found))",
        "current is None or revisions.is_known(current)",
        HEADS + "test_merged_heads_are_one_also_for_a_database_that_has_both",
    ),
    Sabotage(
        "serve with two heads",
        "library/plumbline/cli/serving.py",
        "    service.migrations.head_revision()",
        "    pass",
        HEADS + "test_every_command_says_which_heads_there_are_and_what_joins_them",
    ),
    Sabotage(
        "put each new label at the end",
        AUTOGENERATE,
        'f" BEFORE {_quoted(after)}"',
        '""',
        ENUMS + "test_script_for_an_enum_goes_up_down_and_up",
    ),
    Sabotage(
        "use a label before it is added",
        AUTOGENERATE,
        "            up.ops.sort(key=lambda each: not isinstance(each, AddEnumValuesOp))\n",
        "",
        ENUMS + "test_script_for_an_enum_goes_up_down_and_up",
    ),
    Sabotage(
        "write the CHECK of a new column twice",
        AUTOGENERATE,
        "                _drop_checks_of_new_columns(changes)\n",
        "                pass\n",
        ENUMS + "test_script_for_an_enum_goes_up_down_and_up",
    ),
    Sabotage(
        "put what a script forgets down to the settings",
        ALEMBIC,
        '        if not state.startswith("42") and state not in _ADVICE:\n',
        "        if state:\n",
        ENUMS + "test_what_a_script_does_wrong_is_not_put_down_to_the_settings",
    ),
    Sabotage(
        "end in a traceback where rows have a label that goes",
        ALEMBIC,
        "                if isinstance(error.__cause__, DBAPIError):\n",
        "                if False:\n",
        ENUMS + "test_label_that_rows_have_is_not_taken_away",
    ),
    Sabotage(
        "let only migrations make views",
        CREATED,
        '"before_create" if is_first else "after_create"',
        '"before_create" if is_first else "after_drop"',
        OBJECTS + "test_models_and_migrations_agree_on_what_sqlalchemy_has_no_words_for",
    ),
    Sabotage(
        "take a percent sign of a function for a parameter",
        CREATED,
        'statement.replace("%", "%%")',
        "statement",
        OBJECTS + "test_tables_are_made_twice_and_dropped_with_all_that_they_have",
    ),
    Sabotage(
        "make a view that can be made once",
        CREATED,
        "    if isinstance(owner, MetaData) and not _REPEATABLE.match(create):\n",
        "    if False:\n",
        OBJECTS + "test_statement_that_cannot_run_twice_is_refused_at_import",
    ),
)
