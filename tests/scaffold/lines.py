"""python -m tests.scaffold.lines: how long a resource is, by hand before and as it is written now.

`before` is what somebody wrote by the recipe of version 0.1, with ten rounds of checks (issue 14).
"""

from pathlib import Path

from plumbline.scaffold.fields import parse_fields
from plumbline.scaffold.names import Names
from plumbline.scaffold.project import Plan, Project
from plumbline.scaffold.resource import Resource, add_files

ROOT = Path(__file__).parents[2]
TEN = (
    "title:str(200) isbn:str(13):unique price:decimal(10,2) published:date? tags:str[] "
    "status:enum(draft,out) details:json pages:int? summary:text author:user"
)


def count_lines() -> dict[str, tuple[int, int]]:
    """Lines and, among them, those that are not blank, by file."""
    plan, fields = Plan(ROOT), parse_fields([TEN])
    resource = Resource(Names("book", "books"), fields, "owner", fields[-1])
    add_files(plan, Project(ROOT, "app"), resource)
    new = {path: text for path, text in plan.after.items() if plan.before[path] is None and text}
    return {
        plan.name(path): (text.count("\n"), sum(bool(line.strip()) for line in text.splitlines()))
        for path, text in new.items()
    }


if __name__ == "__main__":
    counted = count_lines()
    for name, (lines, filled) in counted.items():
        print(f"| {name} | {lines} | {filled} |")  # noqa: T201
    three = [value for name, value in counted.items() if name.startswith("app/")]
    print(f"| together | {sum(a for a, _ in three)} | {sum(b for _, b in three)} |")  # noqa: T201
