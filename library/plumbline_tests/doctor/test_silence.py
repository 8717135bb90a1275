"""What the rules on writes, tokens and containers leave alone: each looks like a fault."""

from pathlib import Path

import pytest

from plumbline.doctor.rules import RULES
from plumbline_tests.doctor.projects import found

BY_CODE = {rule.code: rule for rule in RULES}


def _changed(code: str, *changes: tuple[str, str]) -> dict[str, str]:
    """The wrong example of a rule, with what makes it right."""
    files = BY_CODE[code].example("Wrong")
    for before, after in changes:
        name = next(name for name, text in files.items() if before in text)
        files[name] = files[name].replace(before, after)
    return files


CASES = {
    "a look-up that a constraint decides": _changed(
        "PL405",
        ("from sqlalchemy import select", "from sqlalchemy import UniqueConstraint, select"),
        ('= "tags"', '= "tags"\n    __table_args__ = (UniqueConstraint("name"),)'),
    ),
    "a look-up under a lock": _changed(
        "PL405", ("Tag.name == name)", "Tag.name == name).with_for_update()")
    ),
    "a look-up of another row": _changed("PL405", ("Tag.name == name", "Tag.id > 3")),
    "a look-up that hinders nothing": _changed("PL405", ("raise ValueError(name)", "print(found)")),
    "a look-up in a class with unknown bases": _changed(
        "PL405",
        ("class Tag(Base)", "class Tag(other.Mixin, Base)"),
        ("class Base", "import other\n\nclass Base"),
    ),
    "a constraint that a migration has": {
        **_changed("PL405"),
        "db/versions/1.py": 'alembic.op.create_unique_constraint("uq", "tags", ["name"])',
    },
    "a unique value that is made at random": _changed(
        "PL406",
        ("Tag(name=name)", "Tag(name=uuid4())"),
        ("from fastapi", "from uuid import uuid4\n\nfrom fastapi"),
    ),
    "a conflict that the route handles": _changed(
        "PL406",
        (
            "    await db.commit()",
            "    try:\n        await db.commit()\n    except Exception:\n        raise",
        ),
    ),
    "a count of the rows of each group": _changed(
        "PL407",
        (
            "select(func.count()).select_from(posts)",
            "select(posts.c.id, func.count()).group_by(posts.c.id)",
        ),
    ),
    "a count that is a column of each row": _changed(
        "PL407",
        (
            "await db.scalar(select(func.count()).select_from(posts))",
            "select(func.count()).where(posts.c.id == 1).scalar_subquery()",
        ),
    ),
    "an upsert whose columns code decides": _changed(
        "PL408", ('{"uses": Tag.uses + 1}', "{**dict(uses=1)}")
    ),
    "a predicate that is written into the statement": _changed(
        "PL409", ('tags.c.scope == "mine"', "tags.c.scope.is_(None)"), ("  # PL409", "")
    ),
    "an OperationalError of another driver": _changed(
        "PL107", ('"asyncpg"', '"asyncpg", "psycopg"')
    ),
    "an OperationalError beside the right ones": _changed(
        "PL107", ("except OperationalError:", "except (OperationalError, OSError):")
    ),
    "reload in a stage that is not the last": _changed(
        "PL505",
        ("FROM python", "FROM python AS dev\nCMD uvicorn a:b --reload\nFROM python"),
        (', "--reload"]', "]"),
    ),
    "reload in a compose file of development": {
        "docker-compose.yml": "services:\n  api:\n    command: uvicorn app:app --reload\n",
        "docker-compose.dev.prod.yml": "services:\n  api:\n    command: fastapi dev\n",
        "docker/dev/Dockerfile": "FROM a\nCMD uvicorn app:app --reload\n",
        "main.py": "import uvicorn\n\nuvicorn.run('app:app', reload=True)\n",
    },
    "a token of a provider": _changed(
        "PL506", ("return jwt.decode(token,", "mine = fetch(token)\n    return jwt.decode(mine,")
    ),
    "a token that is verified beside": _changed(
        "PL506",
        ("    return jwt", "    jwt.decode(token, KEY, algorithms=['HS256'])\n    return jwt"),
    ),
    "an echo that is asked for": _changed("PL507", ("echo=True", "echo=DEBUG")),
}


@pytest.mark.parametrize("name", CASES)
def test_what_only_looks_like_a_fault_has_no_finding(name: str, tmp_path: Path) -> None:
    files = {path: text.replace("# PL", "# ") for path, text in CASES[name].items()}

    assert found(tmp_path, files) == []


def test_file_that_a_container_starts_may_not_reload(tmp_path: Path) -> None:
    text = "import uvicorn\n\nif __name__ == '__main__':\n    uvicorn.run('a:b', reload=True)\n"
    files = {"app/main.py": text, "Dockerfile": 'FROM a\nCMD ["python", "-m", "app.main"]\n'}

    assert found(tmp_path, files) == [("PL505", "app/main.py", 4)]


def test_python_jose_is_told_its_algorithms(tmp_path: Path) -> None:
    text = "from jose import jwt\n\n\ndef read(token: str):\n    return jwt.decode(token, KEY)\n"

    assert found(tmp_path, {"main.py": text}) == [("PL506", "main.py", 5)]
