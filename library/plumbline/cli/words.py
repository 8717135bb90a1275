"""What the command line says besides its results, and how it reads what is typed."""

import re
import sys
from typing import Any

from typer.core import TyperCommand


def say(message: str) -> None:
    """A line on standard error."""
    print(f"app: {message}", file=sys.stderr, flush=True)


class NumbersAreArguments(TyperCommand):
    """A command that takes -1 for an argument, not for an option that it does not know."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own
        ctx.ignore_unknown_options = any(re.fullmatch(r"-\d+", word) for word in args)
        return super().parse_args(ctx, args)
