"""The page of the doctor: `python -m tests.doctor_page > library/docs/doctor.md`."""

from itertools import groupby

from plumbline.doctor.registry import Rule
from plumbline.doctor.rules import RULES

HEAD = """# The doctor

`plumbline doctor` finds faults of FastAPI with SQLAlchemy on PostgreSQL in any project. It reads
the Python, the lock files and what starts the service. It needs nothing of the project installed,
and runs none of it.

```sh
pip install 'plumbline-fastapi[doctor]'
plumbline doctor                  # this folder; or: plumbline doctor ../shop
plumbline doctor --explain PL001  # why, and what to write instead
plumbline doctor --diff           # what --fix would change: arguments that only make it safer
plumbline doctor --format github  # or json, or sarif for code scanning
plumbline doctor --live DATABASE_URL  # a database; --run app.main:app: see doctor_live.md
```

## It promises

- The exit status is 1 if a fault is as severe as `--fail-on` says: `hazard`, `insecure` (the
  default), `stops-the-service` or `loses-data`; with `never` it is 0.
- `# noqa: PL001` at a line lets it pass. `--save-baseline doctor.json` writes down what is there
  today, so that a large project can begin with what is new.
- A file that it cannot read is named. Templates are read without their tags, if that is Python.

```toml
[tool.plumbline.doctor]
exclude = ["legacy", "*_pb2.py"]
ignore = ["PL304"]
baseline = "doctor.json"
fail-on = "hazard"
per-file-ignores = { "app/admin/*" = ["PL402"] }

[tool.ruff.lint]
external = ["PL0", "PL1", "PL2", "PL3", "PL4", "PL5", "PL6"]  # ruff keeps `# noqa: PL001`
```

As a step of a workflow: `plumbline doctor --format github`. As a hook of pre-commit:

```yaml
- repo: local
  hooks:
    - { id: doctor, name: doctor, language: system, entry: plumbline doctor, pass_filenames: false }
```

## It needs

Python 3.11 or newer. The extra `doctor` (tree-sitter) reads files in a newer Python than the
running one. It does not see what is decided while the project runs, such as options that a
function puts together, and then says nothing.

This page is what `python -m tests.doctor_page` prints.

| Rule | Severity |
|---|---|
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
        rows = "".join(_row(rule) for rule in rules)
        parts.append(f"| **{TOPICS[topic]}** | |\n{rows}")
    return "".join(parts)


def _row(rule: Rule) -> str:
    page = f"../plumbline/doctor/pages/{rule.code}.md"
    return f"| [{rule.code}]({page}) {rule.sentence} | {rule.severity.words} |\n"


if __name__ == "__main__":
    print(write_page(), end="")  # noqa: T201 - what it is for
