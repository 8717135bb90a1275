"""Newer Python, written as the running one reads it, so that its `ast` can parse it."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


_CHANGED = {"type_parameter", "type_alias_statement", "except_clause", "string"}


class _Change(NamedTuple):
    start: int
    end: int
    text: bytes


def new_parser() -> "Parser | None":
    """tree-sitter, which reads any Python; None without the extra `doctor`."""
    try:
        import tree_sitter_python  # noqa: PLC0415 - optional
        from tree_sitter import Language, Parser  # noqa: PLC0415 - same
    except ModuleNotFoundError:
        return None
    return Parser(Language(tree_sitter_python.language()))


def write_older(source: bytes, parser: "Parser") -> bytes:
    """The same program for Python 3.11, each name in its line; type parameters are left out."""
    for change in sorted(_changes(parser.parse(source).root_node), reverse=True):
        source = source[: change.start] + change.text + source[change.end :]
    return source


def _changes(root: "Node") -> Iterator[_Change]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        change = _change(node) if node.type in _CHANGED else None
        if change is None:
            waiting.extend(node.named_children)
        else:
            yield change


def _change(node: "Node") -> _Change | None:
    text = node.text or b""
    if node.type == "type_parameter" and _declares(node):  # class Page[T], def first[T]
        return _Change(node.start_byte, node.end_byte, _blank(text))
    if node.type == "type_alias_statement":  # type Ids = list[int]
        name = re.match(rb"type(\s+)(\w+)(\s*\[[^=]*\])?", text)
        if name is not None:
            start, end = node.start_byte, node.start_byte + name.end()
            return _Change(start, end, name[2] + _blank(text[len(name[2]) : name.end()]))
    if node.type == "except_clause":
        return _parenthesised(node)
    if node.type == "string" and re.match(rb"(?i)[rf]*[ft]", text):
        return _plain_string(node, text)
    return None


def _declares(node: "Node") -> bool:
    return node.parent is not None and node.parent.type in {
        "class_definition",
        "function_definition",
    }


def _blank(text: bytes) -> bytes:
    """As long, with as many lines, which are one for Python."""
    return re.sub(rb".\n", rb"\\\n", re.sub(rb"[^\n]", b" ", text))


def _parenthesised(node: "Node") -> _Change | None:
    """`except A, B:` (Python 3.14) as `except(A, B):`."""
    head = re.match(rb"except (\s*)([\w.]+(?:\s*,\s*[\w.]+)+)\s*:", node.text or b"")
    if head is None:
        return None
    text = b"except" + head[1] + b"(" + head[2] + b"):"
    return _Change(node.start_byte, node.start_byte + head.end(), text)


def _older_part(part: bytes, inner: bytes, quote: bytes) -> bytes:
    """What stands in braces; unread (`{0}`) where it is more than other quotes."""
    if b"\\" in part or b"\n" in part or (inner in part and quote in part):
        return b"{0" + re.sub(rb"[^\n]", b" ", part[2:-1]) + b"}"
    return part.replace(inner, quote)


def _plain_string(node: "Node", text: bytes) -> _Change | None:
    """An f-string with its own quotes within braces (3.12) gets others; t"" (3.14) is f""."""
    quote = b"'" if b'"' in text[:3] else b'"'
    inner = b'"' if quote == b"'" else b"'"
    older = re.sub(rb"(?i)t(?=['\"])", b"f", text[:3]) + text[3:]
    for child in node.children:
        if child.type == "interpolation":
            start, end = child.start_byte - node.start_byte, child.end_byte - node.start_byte
            older = older[:start] + _older_part(older[start:end], inner, quote) + older[end:]
    return None if older == text else _Change(node.start_byte, node.end_byte, older)
