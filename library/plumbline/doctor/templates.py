"""Python and TOML with Jinja in it, as one project that the template may make.

All bytes stay at their places: tags become spaces, and `{{ name }}` a name of that length.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_TAG = re.compile(rb"\{%[-+]?\s*(\w+)(.*?)[-+]?%\}|\{#.*?#\}", re.DOTALL)
_VALUE = re.compile(rb"\{\{.*?\}\}", re.DOTALL)
_OPEN = re.compile(rb"(->|=)([ ]+) \n")  # a line that goes on where its tag has been
_WANTED = re.compile(rb"postgres|sqlalchemy|sqlmodel|asyncpg")
_ANOTHER = re.compile(rb"\bnot\b|!=")
Choice = Callable[[list[bytes]], int]  # of one branch, by the conditions of all; -1: all of them


@dataclass
class _Block:
    """An `if` or a `for`: where its branches begin and end, and their conditions."""

    is_choice: bool
    branches: list[tuple[int, int]] = field(default_factory=list)
    conditions: list[bytes] = field(default_factory=list)


def readings(source: bytes) -> Iterator[bytes]:
    """What a template may become, the likeliest first: one may be no Python, where another is."""
    for choice in (_with_postgresql, _all, _last):
        yield _named(_chosen(source, choice))


def _with_postgresql(conditions: list[bytes]) -> int:
    for index, each in enumerate(conditions):
        if _WANTED.search(each) and not _ANOTHER.search(each):
            return index
    return next((i for i, each in enumerate(conditions) if not _ANOTHER.search(each)), 0)


def _all(_: list[bytes]) -> int:
    return -1


def _last(conditions: list[bytes]) -> int:
    return len(conditions) - 1


def _chosen(source: bytes, choice: Choice) -> bytes:
    blank: list[tuple[int, int]] = []
    blocks: list[_Block] = []
    for tag in _TAG.finditer(source):
        blank.append(tag.span())
        word = tag[1] or b""
        if word in {b"if", b"for"}:
            blocks.append(_Block(word == b"if"))
        if word in {b"elif", b"else", b"endif", b"endfor"} and blocks:
            start, _ = blocks[-1].branches[-1]
            blocks[-1].branches[-1] = start, tag.start()
        if word in {b"if", b"for", b"elif", b"else"} and blocks:
            blocks[-1].branches.append((tag.end(), tag.end()))
            blocks[-1].conditions.append(tag[2] or b"")
        if word in {b"endif", b"endfor"} and blocks:
            blank.extend(_left_out(blocks.pop(), choice))
    return _blanked(source, blank)


def _left_out(block: _Block, choice: Choice) -> list[tuple[int, int]]:
    kept = choice(block.conditions) if block.is_choice and len(block.branches) > 1 else -1
    return [each for index, each in enumerate(block.branches) if kept not in {-1, index}]


def _blanked(source: bytes, spans: list[tuple[int, int]]) -> bytes:
    text = bytearray(source)
    for start, end in spans:
        text[start:end] = re.sub(rb"[^\n]", b" ", source[start:end])
    return _OPEN.sub(rb"\1\2\\\n", bytes(text))


def _named(source: bytes) -> bytes:
    return _VALUE.sub(lambda value: _name(source, value), source)


def _name(source: bytes, value: re.Match[bytes]) -> bytes:
    """The same for `{{x.y}}` and `{{ x.y }}`: x_y and spaces, or _ where a name goes on."""
    name = re.sub(rb"\W+", b"_", value[0].strip(b"{}- \n")) or b"_"
    following = source[value.end() : value.end() + 1]
    return name.ljust(len(value[0]), b"_" if re.match(rb"\w", following) else b" ")


def dotted_name(path: str) -> str:
    """As an import has it: of `{{x.name}}/app.py`, x_name.app."""
    plain = re.sub(r"\{\{.*?\}\}", lambda each: re.sub(r"\W+", "_", each[0].strip("{}- ")), path)
    whole = plain.removesuffix(".py").replace("/", ".")
    return "" if whole == "__init__" else whole.removesuffix(".__init__")


def later_name(path: str) -> str:
    """What a template may call it in the end: `db` for `db_sa`, of which there are several."""
    return dotted_name(re.sub(r"(?<=\w)_[a-z]+(?=/)", "", path) if "{{" in path else path)
