"""The commands that a service mounts in its own."""

from types import MethodType

import typer

from plumbline.cli import schema
from plumbline.cli.check import check
from plumbline.cli.dev import dev
from plumbline.cli.postgres import postgres
from plumbline.cli.scaffold import Writer, add_scaffold
from plumbline.cli.seed import seed
from plumbline.cli.serve import serve
from plumbline.cli.service import Service
from plumbline.cli.terminal import new_group
from plumbline.cli.top import top


def service_commands(service: Service) -> typer.Typer:
    """`dev`, `postgres`, `serve`, `check`, `top`, `seed`, `db`, `add`, `remove`: this service's."""
    cli = new_group(
        "Run and look after the service. Settings come from the environment and from .env."
    )
    cli.command()(MethodType(dev, service))
    cli.command()(MethodType(postgres, service.name))
    cli.command()(MethodType(serve, service))
    cli.command()(MethodType(check, service))
    cli.command()(MethodType(top, service))
    if service.seeds is not None:
        cli.command()(MethodType(seed, service))
    db = new_group("The database's schema.")
    for command in schema.COMMANDS:
        db.command()(MethodType(command, service))
    cli.add_typer(db, name="db")
    add_scaffold(cli, Writer(service.name, service.folder))
    return cli
