"""`plumbline doctor --run`: the faults of real objects, at their lines."""

from collections import Counter
from pathlib import Path

import pytest

from plumbline.doctor.catalogue import ONLY_RUN
from plumbline.doctor.registry import Rule
from plumbline_tests.doctor.faulty import FAULTY, found, look
from plumbline_tests.doctor.projects import marked, write
from plumbline_tests.doctor.test_answers import Answer


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("faulty"), FAULTY)


@pytest.fixture(scope="module")
def seen(faulty: Path) -> Answer:
    return look(faulty, "shop.main:made", "--format", "json")


def test_each_fault_is_found_where_it_is_and_nothing_else(seen: Answer) -> None:
    expected = [each for each in marks() if each[0] != "PL103"]

    assert Counter(found(seen)) == Counter(
        [
            *expected,
            ("PL103", "shop/db.py", line_of("engine = create_async_engine(")),
            ("PL504", "the application", 0),
            ("PL503", "starlette.middleware.cors.CORSMiddleware", 0),
        ]
    )


def marks() -> list[tuple[str, str, int]]:
    """Of lines that bear several codes too."""
    return sorted(
        (code, name, number)
        for name, text in FAULTY.items()
        for number, line in enumerate(text.splitlines(), start=1)
        for code in line.partition("  # ")[2].split()
        if code.startswith("PL")
    )


def line_of(start: str) -> int:
    lines = FAULTY["shop/db.py"].splitlines()
    return next(number for number, line in enumerate(lines, start=1) if line.startswith(start))


def test_no_value_of_the_project_is_told(seen: Answer) -> None:
    assert seen.status == 1
    assert "secret" not in seen.stdout
    assert seen.stderr == ""


@pytest.mark.parametrize("rule", ONLY_RUN, ids=lambda rule: f"{rule.code}-{rule.name}")
@pytest.mark.torture
def test_examples_of_the_pages_are_found_or_clean(rule: Rule, tmp_path: Path) -> None:
    wrong = look(write(tmp_path / "wrong", rule.example("Wrong")), "main:app", "--format", "json")
    right = look(write(tmp_path / "right", rule.example("Right")), "main:app", "--format", "json")

    places = marked(rule.example("Wrong")) or [(rule.code, "models", 0)]
    assert (found(wrong), found(right)) == (places, [])


@pytest.mark.torture
def test_noqa_at_the_line_of_an_object_lets_it_pass(tmp_path: Path) -> None:
    files = {name: text.replace("# PL", "# noqa: PL") for name, text in FAULTY.items()}
    settings = '[tool.plumbline.doctor]\nignore = ["PL503", "PL504", "PL103"]\n'
    answer = look(write(tmp_path, {**files, "pyproject.toml": settings}))

    assert answer.stdout == "nothing found in shop.main:made with 7 routes\n"
