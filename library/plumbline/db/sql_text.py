"""What the text of a statement says by its words, without its comments and literals.

Only where nobody else can tell: PostgreSQL does what it is told, and the driver does not say what.
"""

import re
from enum import Enum, auto
from functools import lru_cache


class Effect(Enum):
    """What a statement does beside its work."""

    ENDS = auto()  # ends the transaction, or begins one
    LOCAL = auto()  # means nothing outside of a transaction
    LEAVES = auto()  # leaves something in the session of the server
    MAY_LEAVE = auto()  # the same, unless a parameter says that it is for the transaction alone
    PREPARES = auto()  # leaves a prepared statement
    TENDS = auto()  # works on tables or tells others, which PostgreSQL lets who only reads do


# Comments (of nested ones the first end), literals, dollar-quoted bodies; and quoted names.
_LITERAL = r"--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(\$\w*\$).*?\1"
_LITERALS = re.compile(_LITERAL, re.DOTALL)
_SILENT = re.compile(rf'{_LITERAL}|"[^"]*"', re.DOTALL)
# What most statements are, at no cost: it cannot have an effect of these.
_EVERYDAY = re.compile(
    r"(?!.*(set_config|advisory|\btemp))\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b",
    re.IGNORECASE | re.DOTALL,
)
_EFFECTS = tuple(
    (effect, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for effect, pattern in (
        (Effect.ENDS, r"(COMMIT|END|ABORT|BEGIN|START|PREPARE\s+TRANSACTION)\b"),
        (Effect.ENDS, r"ROLLBACK\b(?!(\s+(WORK|TRANSACTION))?\s+TO\b)"),
        (Effect.PREPARES, r"PREPARE\b"),
        (Effect.LOCAL, r"SET\s+(LOCAL|TRANSACTION|CONSTRAINTS)\b"),
        (Effect.LEAVES, r"(SET|RESET|LISTEN|LOAD|DO|CALL|DISCARD)\b|DECLARE\b.*\bHOLD\b"),
        (Effect.LEAVES, r".*\badvisory_lock|.*\bpg_(try_)?advisory_lock"),
        (Effect.LEAVES, r"(CREATE\b|.*\bINTO\b).*\bTEMP(ORARY)?\b|.*\bpg_temp\b"),
        (Effect.LOCAL, r".*\bset_config\s*\([^()]*,\s*true\s*\)|.*\bpg_(try_)?advisory_xact_lock"),
        (Effect.MAY_LEAVE, r".*\bset_config\s*\("),
        (Effect.TENDS, r"(VACUUM|ANALYZE|REINDEX|CLUSTER|CHECKPOINT|NOTIFY|COPY|UNLISTEN)\b"),
    )
)

_READS = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN"})
_WRITES = re.compile(
    r"\b(INSERT\s+INTO|UPDATE\s+[\w.]+\s+(AS\s+\w+\s+)?SET|DELETE\s+FROM|MERGE\s+INTO|INTO\s+\w+"
    r"|FOR\s+(NO\s+KEY\s+)?UPDATE|FOR\s+(KEY\s+)?SHARE|(next|set)val\s*\()",
    re.IGNORECASE,
)
_FIRST = re.compile(r"\w+")
_NAMED = re.compile(r'"[^"]*"')
# A number is part of no name and no parameter.
_VALUE = re.compile(rf"{_SILENT.pattern}|(?<![\w$.])\.?\d[\w.]*(?:(?<=[eE])[+-]\d+)?", re.DOTALL)
# Of a literal or a comment without its other end.
_UNREAD = re.compile(r"'|\*/|\$(?:[^\W\d]\w*)?\$")
_NESTED = re.compile(r"/\*(?:(?!\*/).)*/\*", re.DOTALL)  # comments in comments

_SAVEPOINT = re.compile(r"\s*(SAVEPOINT|RELEASE|ROLLBACK\s+TO)\b", re.IGNORECASE)
_PARAMETER = re.compile(r"\$\d+")
_TYPED = r"\?(?:::[\w\[\]]+(?: [a-z]+)*(?:\(\?\))?)?"
_LIST = re.compile(rf"\( ?{_TYPED}(?:, ?{_TYPED})* ?\)")
_ROWS = re.compile(r"\(\?\)(?:, ?\(\?\))+")

# Of the key of a cache, in characters: a list that a caller sends can become thousands of
# parameters, of another number each time, and what is kept is never given back.
LONGEST_KEPT = 10_000


@lru_cache(maxsize=1000)
def effect_of(sql: str) -> Effect | None:
    """Mostly None; what a function does that is called in it, nobody can see.

    Of a text above LONGEST_KEPT ask `effect_of.__wrapped__`, which keeps nothing.
    """
    if _EVERYDAY.match(sql):
        return None
    spoken = _words(sql)
    return next((effect for effect, pattern in _EFFECTS if pattern.match(spoken)), None)


def looks_like_writing(sql: str) -> bool:
    """Whether it stores or locks, as far as its words tell: not what a function does."""
    spoken = _words(sql)
    first = _FIRST.match(spoken)
    return not first or first[0].upper() not in _READS or _WRITES.search(spoken) is not None


def without_literals(sql: str) -> str:
    """Its words and names, quoted ones too."""
    return _LITERALS.sub(" ", sql)


def is_of_a_savepoint(sql: str) -> bool:
    """Whether it makes, releases or rolls back to one."""
    return _SAVEPOINT.match(sql) is not None


def shape_of(sql: str) -> str:
    """What is the same in all runs of a statement: `?` for each value, and for a list of them."""
    plain = _PARAMETER.sub("?", without_values(sql) or sql)
    return _ROWS.sub("(?)", _LIST.sub("(?)", plain))


def without_values(sql: str) -> str | None:
    """With `?` for each literal and number, and without comments; None: it cannot be read so."""
    text = _VALUE.sub(_keep_names, sql)
    if _UNREAD.search(_NAMED.sub("", text)) or _NESTED.search(sql):
        return None
    return " ".join(text.split())


def _keep_names(found: re.Match[str]) -> str:
    if found[0].startswith('"'):
        return found[0]
    return " " if found[0].startswith(("--", "/*")) else "?"


def parts_of(sql: str) -> list[str]:
    """Its statements, in capitals and with single blanks, without comments and literals."""
    parts = (" ".join(part.split()).upper() for part in _LITERALS.sub(" ", sql).split(";"))
    return [part for part in parts if part]


def _words(sql: str) -> str:
    """From the first word on, without what PostgreSQL does not read as words."""
    return _SILENT.sub(" ", sql).lstrip(" \t\r\n\f\v(;")
