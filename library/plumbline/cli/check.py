"""`check`: which settings production would refuse."""

from typing import Annotated

import typer

from plumbline.cli.service import Service
from plumbline.errors import OperatorError


def check(
    service: Service,
    *,
    production: Annotated[bool, typer.Option(help="As if ENVIRONMENT were production.")] = False,
) -> None:
    """Say which settings production would refuse."""
    risks = service.find_risks() if production or service.is_production else []
    for line in [*risks, *service.find_warnings()]:
        print(line)
    if risks:
        raise OperatorError("production does not start with these settings")
    print("The settings are fine.")
