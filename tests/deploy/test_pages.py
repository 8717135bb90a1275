"""docs/start.md and docs/deploy.md: each command is one that there is, and the first page's run."""

import re
import shlex
from collections.abc import Sequence
from typing import Any

import click
import pytest
import typer

from app.cli.commands import cli as app
from plumbline.cli.standalone import cli as plumbline
from plumbline.scaffold.fields import parse_fields
from tests.deploy.files import ROOT, compose

PAGES = {name: (ROOT / f"docs/{name}.md").read_text() for name in ("start", "deploy")}
COMMANDS = {
    line
    for page in PAGES.values()
    for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    for line in block.splitlines()
}
MAKEFILE = (ROOT / "library/plumbline/template/overlay/Makefile").read_text()
OF_OTHERS = {"cd", "curl", "export", "git", "pip"}
OF_POSTGRES = {"pg_dump", "pg_restore", "pg_receivewal", "pg_basebackup", "pg_verifybackup"}


def parse(cli: typer.Typer, words: Sequence[str]) -> dict[str, Any]:
    """What the command is given; nothing of it runs."""
    command: Any = typer.main.get_command(cli)
    context = command.make_context("", list(words))
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        context = command.make_context(name, rest, parent=context)
    return dict(context.params)


def check(words: Sequence[str]) -> None:
    match list(words):
        case ["plumbline", *rest]:
            parse(plumbline, rest)
        case [".venv/bin/app", *rest]:
            parse(app, rest)
        case ["make", target]:
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
        case ["docker", "compose", *rest]:
            _check_compose(rest)
        case ["sh" | "kubectl" | "docker", *rest]:
            named = [word for word in rest if word.startswith("deploy/")]
            assert [name for name in named if not (ROOT / name).exists()] == []
        case [program, *_]:
            assert program in OF_OTHERS | OF_POSTGRES


def _check_compose(words: list[str]) -> None:
    match words:
        case ["run", "--rm", service, *rest]:
            assert compose()[service]["image"] == "app"
            parse(app, rest)
        case ["exec", "-T", service, program, *_]:
            assert service in compose()
            assert program in OF_POSTGRES
        case _:
            assert words == ["up", "--build", "--wait"]


def refusal(line: str) -> str:
    """Why there is no such command; empty where there is."""
    try:
        check(shlex.split(line.partition(" >")[0]))
    except (AssertionError, KeyError, click.UsageError, typer.exceptions.TyperException) as error:
        return repr(error)
    return ""


@pytest.mark.parametrize("line", sorted(COMMANDS))
def test_command_is_one_that_there_is(line: str) -> None:
    assert refusal(line) == ""


def test_fields_of_the_resources_can_be() -> None:
    lines = [line for line in sorted(COMMANDS, reverse=True) if "add resource" in line]

    fields = [parse(app, shlex.split(line)[1:])["fields"] for line in lines]
    assert [len(parse_fields(each)) for each in fields] == [1, 4]


@pytest.mark.parametrize(
    "line",
    [
        "plumbline new shop --wrong",
        ".venv/bin/app sed",
        "make nothing",
        "docker compose run --rm none db",
    ],
)
def test_command_that_there_is_not_is_seen(line: str) -> None:
    assert refusal(line) != ""


def test_way_from_nothing_has_ten_steps() -> None:
    assert re.findall(r"^## (\d+)\.", PAGES["start"], re.MULTILINE) == [
        str(n) for n in range(1, 11)
    ]
