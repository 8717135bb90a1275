"""Changes of code on purpose, in copies of it."""

from pathlib import Path

# For pytest in a warm interpreter: it cannot rewrite the assertions of packages that are there.
IS_WARM = "ignore::pytest.PytestAssertRewriteWarning"


def change(file: Path, old: str, new: str) -> None:
    """Replace `old`, which occurs once."""
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name} has not exactly one {old!r}"
    file.write_text(text.replace(old, new))
