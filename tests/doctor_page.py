"""The page of the rules: `python -m tests.doctor_page > library/docs/doctor_rules.md`."""

import re
from itertools import groupby

from plumbline.doctor.registry import Rule
from plumbline.doctor.rules import RULES

HEAD = """# What the doctor finds, and why

The rules of [the doctor](doctor.md). `plumbline doctor --explain PL001` prints the page of one:
why, how to correct it, a wrong example and a right one. This page is what
`python -m tests.doctor_page` prints.
"""
TOPICS = {
    "0": "Transactions and sessions",
    "1": "Connections",
    "2": "The event loop",
    "3": "Models, and what they load",
    "4": "Statements",
    "5": "Security",
    "6": "Migrations and tests",
}


def write_page() -> str:
    parts = [HEAD]
    for topic, rules in groupby(RULES, key=lambda rule: rule.code[2]):
        parts.append(f"\n## {TOPICS[topic]}\n\n{''.join(_item(rule) for rule in rules)}")
    return "".join(parts)


def _item(rule: Rule) -> str:
    """With the first sentence of its page."""
    page = f"../plumbline/doctor/pages/{rule.code}.md"
    why = " ".join(rule.page.partition("\n## ")[0].splitlines()[4:])
    first = re.split(r"(?<=[.:]) ", why)[0].rstrip(":.")
    return f"- [{rule.code}]({page}) **{rule.sentence}** ({rule.severity.words}). {first}.\n"


if __name__ == "__main__":
    print(write_page(), end="")  # noqa: T201 - what it is for
