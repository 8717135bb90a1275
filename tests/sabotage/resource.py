"""What is promised of resources that a command writes, broken on purpose."""

from tests.sabotage import Sabotage

ROWS, ORDER = "library/plumbline/db/rows.py", "library/plumbline/db/table_order.py"
SHARED, OPENAPI = "library/plumbline/http/resources.py", "library/plumbline/http/openapi.py"
SCAFFOLD = "library/plumbline/scaffold/"
DB, HTTP = "library/plumbline_tests/db/", "library/plumbline_tests/http/"
REFUSALS, COMMANDS = "tests/scaffold/test_refusals.py::", "tests/scaffold/test_commands.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "keep the version when only other rows' ids change",
        ROWS,
        "            flag_modified(row, _plain_attribute(mapper))\n",
        "",
        DB + "test_rows.py::test_ids_of_other_rows_move_the_version",
    ),
    Sabotage(
        "change a row without its lock",
        ROWS,
        "await db.get(model, row_id, with_for_update=True)",
        "await db.get(model, row_id)",
        DB + "test_rows.py::test_row_is_locked_until_the_commit",
    ),
    Sabotage(
        "take what a patch did not send for None",
        SHARED,
        "self.model_dump(exclude_unset=True)",
        "self.model_dump()",
        HTTP + "test_resources.py::test_patch_has_what_was_sent",
    ),
    Sabotage(
        "store half of a surrogate pair in JSON",
        SHARED,
        '("\\0" in each or not _is_text(each))',
        '"\\0" in each',
        HTTP + "test_resources.py::test_json_that_postgresql_or_json_does_not_have_is_refused",
    ),
    Sabotage(
        "look at the values of JSON and not at its keys",
        SHARED,
        "            yield key, depth\n",
        "            pass\n",
        HTTP + "test_resources.py::test_json_that_postgresql_or_json_does_not_have_is_refused",
    ),
    Sabotage(
        "leave it to each route to say that it needs If-Match",
        OPENAPI,
        "            errors.append(PreconditionRequired)\n",
        "            pass\n",
        HTTP + "test_resources.py::test_document_says_what_follows_from_what_a_route_takes",
    ),
    Sabotage(
        "filter by what no index has",
        "library/plumbline/http/listing.py",
        "        require_indexes(filters)\n",
        "",
        HTTP + "test_filters.py::test_filter_that_cannot_be_is_refused_at_import",
    ),
    Sabotage(
        "drop a table before what refers to it",
        ORDER,
        "[*before, *reversed(ordered), *",
        "[*before, *ordered, *",
        DB + "test_table_order.py::test_what_refers_to_others_is_dropped_first_and_made_last",
    ),
    Sabotage(
        "leave the files that were written before a failure",
        SCAFFOLD + "project.py",
        "                undo.callback(replace_file, path, self.before[path])\n",
        "",
        REFUSALS + "test_failure_at_any_file_leaves_the_tree_as_it_was",
    ),
    Sabotage(
        "overwrite what was changed meanwhile",
        SCAFFOLD + "project.py",
        "            if (path.read_text() if path.exists() else None) != text:\n",
        "            if False:\n",
        REFUSALS + "test_file_that_changed_meanwhile_is_not_overwritten",
    ),
    Sabotage(
        "overwrite a file that is there",
        SCAFFOLD + "project.py",
        "        if path.exists():\n            raise OperatorError(",
        "        if False:\n            raise OperatorError(",
        REFUSALS + "test_name_that_a_resource_cannot_have_is_refused",
    ),
    Sabotage(
        "take a reserved word of SQL for a resource",
        SCAFFOLD + "names.py",
        "    if name in RESERVED_WORDS:\n",
        "    if False:\n",
        REFUSALS + "test_name_that_a_resource_cannot_have_is_refused",
    ),
    Sabotage(
        "add a field that rows do not have",
        SCAFFOLD + "additions.py",
        "    if not field.is_optional and field.default is None:\n",
        "    if False:\n",
        COMMANDS + "test_field_that_would_not_fit_the_rows_is_refused",
    ),
    Sabotage(
        "remove what others use",
        SCAFFOLD + "removal.py",
        "    if uses := sorted(find_uses(plan, project, names, gone)):\n",
        "    if uses := []:\n",
        "tests/scaffold/test_removal.py::test_resource_that_others_use_is_not_removed",
    ),
    Sabotage(
        "write a many-to-many that keeps unsorted ids",
        SHARED,
        "return sorted({*ids})",
        "return ids",
        HTTP + "test_resources.py::test_patch_has_what_was_sent",
    ),
    Sabotage(
        "let everybody who is signed in change what has an owner",
        SCAFFOLD + "templates/service.mako",
        "    require_owner(user, ${one}.${owner})\n% endif\n    check_version(${one}.version)\n"
        "    return",
        "% endif\n    check_version(${one}.version)\n    return",
        "tests/scaffold/test_made_up_resources.py::test_made_up_resources_do_what_they_say",
    ),
)
