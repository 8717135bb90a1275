"""New projects, and the next version of one."""

from tests.sabotage import Sabotage

TEMPLATE = "library/plumbline/template/"
NEW = "tests/test_new_project.py::"
UPDATE = "tests/test_project_update.py::"
WITHOUT = "tests/test_new_project_without_posts.py::"
REMOVAL = "tests/scaffold/test_removal.py::"
SCAFFOLD = "library/plumbline/scaffold/"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "call a new project as the template",
        TEMPLATE + "rendering.py",
        '_replace(rendered, line["file"], line["old"], new)',
        '_replace(rendered, line["file"], line["old"], line["old"])',
        NEW + "test_project_is_one_commit_with_its_name",
    ),
    Sabotage(
        "write names as they are typed",
        TEMPLATE + "rendering.py",
        "lambda text: json.dumps(text, ensure_ascii=False)",
        "lambda text: f'\"{text}\"'",
        NEW + "test_project_is_one_commit_with_its_name",
    ),
    Sabotage(
        "take any name",
        TEMPLATE + "rendering.py",
        "if not self.name.isprintable() or not self.slug:",
        "if False:",
        NEW + "test_answer_that_cannot_be_is_refused",
    ),
    Sabotage(
        "leave a project behind that is not whole",
        TEMPLATE + "projects.py",
        "        _remove(path, keep=not is_new)\n",
        "",
        NEW + "test_failure_leaves_nothing",
    ),
    Sabotage(
        "write into a folder with something in it",
        TEMPLATE + "projects.py",
        "if path.exists() and any(",
        "if False and any(",
        NEW + "test_folder_with_something_in_it_stays_as_it_is",
    ),
    Sabotage(
        "leave files of the template out of the wheel",
        "library/hatch_build.py",
        'described["files"]:',
        'described["files"][:3]:',
        NEW + "test_wheel_has_the_template_of_the_checkout",
    ),
    Sabotage(
        "update over what is not committed",
        TEMPLATE + "projects.py",
        'if git.git(folder, "status", "--porcelain"):',
        "if False:",
        UPDATE + "test_nothing_is_merged_into_what_is_not_committed",
    ),
    Sabotage(
        "merge without what was there before",
        TEMPLATE + "git.py",
        'becomes = _commit(folder, new, message, "-p", was)',
        'becomes = _commit(folder, new, message, "-p", _commit(folder, {}, message))',
        UPDATE + "test_update_changes_what_is_newer_and_keeps_what_is_ours",
    ),
    Sabotage(
        "keep the library of the version before",
        TEMPLATE + "projects.py",
        "new = render(template, now) | _vendored(wheel)",
        "new = render(template, now) | _vendored(vendored)",
        UPDATE + "test_update_changes_what_is_newer_and_keeps_what_is_ours",
    ),
    Sabotage(
        "forget that a project has no posts",
        TEMPLATE + "overlay/pyproject.toml.jinja",
        "posts = {{ posts | lower }}\n",
        "",
        WITHOUT + "test_choice_is_remembered",
    ),
    Sabotage(
        "bring posts back with an update",
        TEMPLATE + "rendering.py",
        "template.service if answers.posts else _without_posts(template)",
        "template.service",
        UPDATE + "test_project_without_posts_stays_without_them",
    ),
    Sabotage(
        "begin the history with a table of posts",
        TEMPLATE + "rendering.py",
        'for line in template.without_posts["lines"]:',
        'for line in template.without_posts["lines"][:-3]:',
        WITHOUT + "test_history_of_the_schema_has_the_tables_of_the_models",
    ),
    Sabotage(
        "leave relationships to what is removed",
        SCAFFOLD + "removal.py",
        "    _remove_relationships(plan, project, names)\n",
        "",
        REMOVAL + "test_what_leads_to_it_goes_with_it",
    ),
    Sabotage(
        "leave helpers of the tests that make what is removed",
        SCAFFOLD + "removal.py",
        "    gone = _remove_makers(plan, project, names)\n",
        "    gone = set[str]()\n",
        WITHOUT + "test_it_is_what_the_command_leaves_that_removes_posts",
    ),
    Sabotage(
        "keep a line for each of what is left",
        SCAFFOLD + "edits.py",
        "        end = self.behind_comma(last) if folds or len(items) == 1 else last\n",
        "        end = last\n",
        REMOVAL + "test_tuple_of_one_stays_a_tuple",
    ),
    Sabotage(
        "remove what a test asks for by its address",
        SCAFFOLD + "uses.py",
        "        lambda node: _is_address(node, names),\n",
        "",
        REMOVAL + "test_use_is_found",
    ),
    Sabotage(
        "count what stays when a row goes",
        "library/plumbline/db/rows.py",
        ' and constraint.ondelete == "CASCADE":',
        ":",
        "library/plumbline_tests/db/test_rows.py::test_what_goes_with_a_row_is_counted_by_table",
    ),
    Sabotage(
        "import FastAPI for every command",
        "app/cli/accounts.py",
        "from app.core.config import settings\n",
        "import app.api.users\nfrom app.core.config import settings\n",
        "tests/test_imports.py::test_command_that_serves_nothing_itself_imports_no_fastapi",
    ),
    Sabotage(
        "import the doctor for every command",
        "library/plumbline/cli/standalone.py",
        "from plumbline.cli.postgres import postgres\n",
        "import plumbline.cli.doctor\nfrom plumbline.cli.postgres import postgres\n",
        "tests/test_imports.py::test_command_imports_no_part_that_it_does_not_use",
    ),
    Sabotage(
        "import what writes resources where a service runs",
        "library/plumbline/cli/scaffold.py",
        "from plumbline.cli.terminal import new_group\n",
        "import plumbline.cli.writing\nfrom plumbline.cli.terminal import new_group\n",
        "tests/test_imports.py::test_command_imports_no_part_that_it_does_not_use",
    ),
    Sabotage(
        "leave the rows that are there without the default",
        SCAFFOLD + "written.py",
        '", ".join([*_arguments(field, owner), *stored])',
        '", ".join(_arguments(field, owner))',
        "tests/scaffold/test_commands.py::test_fields_are_added_to_what_was_written",
    ),
    Sabotage(
        "take a default that the column rounds",
        SCAFFOLD + "defaults.py",
        'if kind == "decimal" and not',
        "if False and not",
        "tests/scaffold/test_refusals.py::test_field_that_cannot_be_is_refused",
    ),
    Sabotage(
        "give a reason for what comes back",
        SCAFFOLD + "removal.py",
        '(text or "").partition("def downgrade")[0]',
        '(text or "")',
        REMOVAL + "test_migration_says_why_its_tables_may_go",
    ),
    Sabotage(
        "write two migrations of a day over each other",
        "pyproject.toml",
        "%%(slug)s_%%(rev)s",
        "%%(slug)s",
        "tests/db/test_migrations.py::test_scripts_of_one_day_never_share_a_file",
    ),
    Sabotage(
        "ask for decimals without saying how large they may be",
        SCAFFOLD + "written.py",
        '", gt=-1, lt=1" if digits == places else ""',
        '""',
        "tests/scaffold/test_commands.py::test_decimal_without_whole_digits_says_its_bounds",
    ),
    Sabotage(
        "send all wrong requests with one key",
        "library/plumbline/testing/proofs/wrong_input.py",
        '{KEY: f"{key[:-4]}{number:04}"}',
        "{KEY: key}",
        "library/plumbline_tests/testing/test_generator.py"
        "::test_each_wrong_request_has_a_key_of_its_own",
    ),
    Sabotage(
        "try models in the order of each process",
        "library/plumbline/testing/cases.py",
        "sorted(mappers, key=lambda mapper: mapper.class_.__qualname__)",
        "list(mappers)",
        "library/plumbline_tests/testing/test_cases.py"
        "::test_models_are_in_the_same_order_in_each_process",
    ),
    Sabotage(
        "let pytest take a model for a test",
        SCAFFOLD + "templates/test.mako",
        'return f"_{name}" if name.startswith("Test") else name',
        "return name",
        "tests/scaffold/test_commands.py::test_model_that_is_called_as_a_test_is_not_taken_for_one",
    ),
)
