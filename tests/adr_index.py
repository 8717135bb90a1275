"""The index of decisions: `python -m tests.adr_index > docs/adr/README.md`."""

import re
import sys

from tests.postgres import ROOT

FOLDER = ROOT / "docs/adr"
HEAD = """# Decisions

Why it is built so. Each page has context, decision, consequences, and where it is enforced. A
decision that no longer holds stays, with `**Status.** Superseded by ADR n` as its second line. This
page is what `python -m tests.adr_index` prints.

| | Decision | Status |
|---|---|---|
"""


def write_index() -> str:
    return HEAD + "".join(
        _row(path.name, path.read_text()) for path in sorted(FOLDER.glob("0*.md"))
    )


def _row(name: str, text: str) -> str:
    title = re.match(r"# (\d+)\. (.+)\n", text)
    assert title is not None, f"{name} does not begin with its number and title"
    status = re.search(r"^\*\*Status\.\*\* (.+?)\.?$", text, re.MULTILINE)
    return f"| [{title[1]}]({name}) | {title[2]} | {status[1] if status else 'Accepted'} |\n"


if __name__ == "__main__":
    sys.stdout.write(write_index())
