"""Statements as they are shown: without what somebody has written into them."""

import re

_LONGEST = 120
# pg_stat_activity cuts long statements, so that a text may have no end.
_PARTS = re.compile(
    r"""(?P<name>"(?:[^"]|"")*(?:"|$))"""
    r"""|\b[eE]'(?:[^'\\]|\\.|'')*(?:'|\\?$)"""
    r"""|(?:\b[xXbBnN]|\b[uU]&)?'(?:[^']|'')*(?:'|$)"""
    r"""|(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|$)"""
    r"""|(?P<comment>--[^\n]*|/\*.*?(?:\*/|$))"""
    r"""|(?<![\w$])\d[\w.]*""",
    re.DOTALL,
)
# A comment in a comment: who knows then what is a literal.
_NESTED = re.compile(r"/\*(?:(?!\*/).)*/\*", re.DOTALL)


def without_values(statement: str) -> str:
    """In one line, with `?` for each literal, without comments; names of columns stay."""
    if _NESTED.search(statement):
        return "?"
    shown = " ".join(_PARTS.sub(_replaced, statement).split())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _replaced(part: re.Match[str]) -> str:
    if part["name"]:
        return part[0]
    return " " if part["comment"] else "?"
