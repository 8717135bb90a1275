"""A table in Markdown."""

from collections.abc import Iterable


def table(title: str, heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = [heads, ["---", *("---:" for _ in heads[1:])], *rows]
    return "\n".join([f"**{title}**", "", *(f"| {' | '.join(line)} |" for line in lines)])
