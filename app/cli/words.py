"""What the command line says besides its results."""

import sys


def say(message: str) -> None:
    """A line on standard error."""
    print(f"app: {message}", file=sys.stderr, flush=True)
