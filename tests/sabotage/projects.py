"""New projects, and the next version of one."""

from tests.sabotage import Sabotage

TEMPLATE = "library/plumbline/template/"
NEW = "tests/test_new_project.py::"
UPDATE = "tests/test_project_update.py::"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "call a new project as the template",
        TEMPLATE + "rendering.py",
        'rendered[line["file"]] = text.replace(line["old"], new).encode()',
        'rendered[line["file"]] = text.encode()',
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
)
