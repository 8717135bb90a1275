"""What the doctor promises, broken on purpose."""

from tests.sabotage import Sabotage

DOCTOR = "library/plumbline/doctor/"
TESTS = "library/plumbline_tests/doctor/"
NAMES, ALARMS, ANSWERS = TESTS + "test_names.py::", TESTS + "test_false_alarms.py::", TESTS
WRONG = TESTS + "test_rules.py::test_wrong_example_is_found_at_its_line_and_nothing_else"
NO_FAULT = ALARMS + "test_what_is_no_fault_has_no_finding"
SHAPES = NAMES + "test_late_commit_is_found_in_each_shape_of_a_dependency"

SABOTAGES: tuple[Sabotage, ...] = (
    Sabotage(
        "let the doctor take a local value for an import",
        DOCTOR + "bindings.py",
        "            if node.id not in shared:\n                yield node.id, None\n",
        "            pass\n",
        NO_FAULT,
    ),
    Sabotage(
        "let the doctor forget re-exports",
        DOCTOR + "project.py",
        "            if bound is None or bound == here:\n",
        "            if True:\n",
        NAMES + "test_dependency_is_known_through_each_kind_of_import",
    ),
    Sabotage(
        "let the doctor forget the scope of a dependency",
        DOCTOR + "rules/commits.py",
        'if use.scope != "function"]',
        "if True]",
        TESTS + "test_rules.py::test_right_example_has_no_finding",
    ),
    Sabotage(
        "let the doctor see no commit of a block",
        DOCTOR + "rules/commits.py",
        '    if method(opened) == "begin" and _is_of_a_session(project, module, opened):\n',
        "    if False:\n",
        SHAPES,
    ),
    Sabotage(
        "let the doctor take every FastAPI for the newest",
        DOCTOR + "manifests.py",
        "return self.fastapi is None or not BEFORE_EXIT <= self.fastapi < AFTER_EXIT",
        "return True",
        NAMES + "test_version_of_fastapi_decides_whether_a_commit_is_late",
    ),
    Sabotage(
        "let the doctor call commits by hand a loss of data",
        DOCTOR + "rules/commits.py",
        "if not known.answers_after_exit or project.remember(_commits_by_hand):",
        "if not known.answers_after_exit:",
        NAMES + "test_handlers_that_commit_by_hand_make_it_a_hazard",
    ),
    Sabotage(
        "let the doctor give up on newer Python",
        DOCTOR + "source.py",
        "        return ast.parse(write_older(source, parser))\n",
        "        raise\n",
        NAMES + "test_python_that_is_newer_than_the_running_one_is_read_in_its_lines",
    ),
    Sabotage(
        "let the doctor guess options that it cannot read",
        DOCTOR + "engines.py",
        "            if literal is None:\n                return None\n"
        "            found |= literal\n",
        "            found |= literal or {}\n",
        NO_FAULT,
    ),
    Sabotage(
        "let the doctor look at tests",
        DOCTOR + "project.py",
        "code = (each for each in self.by_name.values() if not each.is_test)",
        "code = iter(self.by_name.values())",
        ALARMS + "test_tests_and_installed_packages_are_not_looked_at",
    ),
    Sabotage(
        "let the doctor mark another line",
        DOCTOR + "source.py",
        "        return Place(\n            node.lineno,\n",
        "        return Place(\n            node.lineno + 1,\n",
        WRONG,
    ),
    Sabotage(
        "let the doctor end well whatever it found",
        "library/plumbline/cli/doctor.py",
        "    return int(worst is not None and worst >= least)\n",
        "    return int(worst is not None and worst > least and False)\n",
        ANSWERS + "test_answers.py::test_status_says_whether_a_fault_is_as_severe",
    ),
    Sabotage(
        "let a baseline let pass what is new",
        DOCTOR + "diagnosis.py",
        "            waiting[mark] -= 1\n",
        "            pass\n",
        ANSWERS + "test_answers.py::test_baseline_lets_pass_what_is_there_today_and_no_more",
    ),
    Sabotage(
        "let noqa of one rule silence all",
        DOCTOR + "configuration.py",
        'found["codes"] is None or code in',
        "True or code in",
        ANSWERS + "test_answers.py::test_noqa_lets_a_line_pass",
    ),
)
