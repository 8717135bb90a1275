"""Names: what a resource is called in each layer, and which names cannot be."""

import builtins
import keyword
import re
from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS
from sqlalchemy.orm import DeclarativeBase

from plumbline.errors import OperatorError

MAX_NAME = 63  # bytes that PostgreSQL keeps of a name; it cuts the rest
_RESOURCE = re.compile("[a-z]+(_[a-z]+)*")
_FIELD = re.compile("[a-z]+[0-9]*(_[a-z0-9]+)*")
_WORD = re.compile("(?<!^)(?=[A-Z])")

_IRREGULAR = {
    "child": "children",
    "foot": "feet",
    "goose": "geese",
    "man": "men",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "tooth": "teeth",
    "woman": "women",
}
_WITH_VES = {
    *("calf", "half", "knife", "leaf", "life", "loaf", "self", "shelf", "thief", "wife", "wolf")
}
_WITH_OES = {"echo", "hero", "potato", "tomato", "veto"}

# Each row has these, by its model or by what every model is.
_OF_EACH_ROW = {
    *("id", "version", "created_at", "updated_at", "metadata", "registry"),
    *(name for name in dir(DeclarativeBase) if not name.startswith("_")),
}
# Of a pydantic model: a field must not hide them.
_OF_EACH_BODY = {name for name in dir(BaseModel) if not name.startswith("_")} | {"changes"}
_PROTECTED = ("model_validate", "model_dump")  # pydantic warns of other names that begin so
# What the generated files import or define beside the names of the resource. In a class body a
# field hides a type of the same name from all fields after it.
_IN_A_CLASS = {
    *("date", "datetime", "str", "int", "float", "bool", "list", "dict"),
    *("association_proxy", "get_args", "mapped_column", "relationship"),
}
_IN_A_ROUTE = {
    *("asked", "body", "changes", "check_version", "created", "db", "response", "router", "fields"),
    *(
        "row",
        "rows",
        "resource",
        "status",
        "tagged",
        "user",
        "alice",
        "client",
        "made",
        "read",
        "answer",
        "new",
    ),
}
_CLASSES = {
    *("Annotated", "Any", "Array", "Base", "Boolean", "Caller", "CheckVersion", "CountedPage"),
    *(
        "Date",
        "DateTime",
        "Line",
        "Values",
        "Db",
        "Decimal",
        "Depends",
        "Double",
        "Enum",
        "Field",
        "Id",
        "Identity",
    ),
    *("Ids", "Index", "Listing", "ListRequest", "Literal", "Mapped", "Mapping", "Numeric"),
    *("OneLine", "Page", "PageView", "Patch", "Payload", "PlainText", "Response", "Select"),
    *("String", "Text", "Uuid", "Versioned", "View", "BigInt", "JsonObject", "ReadDb"),
}


@dataclass(frozen=True)
class Names:
    """`book` and `books`, and what follows from them."""

    one: str
    many: str

    @property
    def class_name(self) -> str:
        """As in BookReview."""
        return class_name(self.one)

    @property
    def constant(self) -> str:
        """As in BOOK_REVIEWS."""
        return self.many.upper()

    @property
    def words(self) -> tuple[str, str]:
        """For sentences: "book review", "book reviews"."""
        return self.one.replace("_", " "), self.many.replace("_", " ")

    @property
    def with_article(self) -> str:
        """As in "an order"."""
        one = self.words[0]
        return f"{'an' if one[0] in 'aeiou' else 'a'} {one}"


def class_name(name: str) -> str:
    """As in BookReview."""
    return "".join(word.title() for word in name.split("_"))


def resource_name(name: str) -> str:
    """As in book_review."""
    return _WORD.sub("_", name).lower()


def plural_of(name: str) -> str:
    """By the rules of most English nouns; `--plural` is for the others."""
    rest, _, word = name.rpartition("_")
    return f"{rest}_{_plural(word)}" if rest else _plural(word)


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _WITH_VES:
        return re.sub("fe?$", "ves", word)
    if word.endswith("sis"):
        return f"{word[:-2]}es"
    if word.endswith(("s", "x", "z", "ch", "sh")) or word in _WITH_OES:
        return f"{word}es"
    return re.sub("(?<=[^aeiou])y$", "ie", word) + "s"


def check_resource(names: Names) -> None:
    """OperatorError for a name that a resource cannot have."""
    for name in (names.one, names.many):
        if not _RESOURCE.fullmatch(name):
            advice = "write small letters and `_`, as in book_review"
            raise OperatorError(f"`{name}` is no name of a resource: {advice}")
        _refuse_meaning(name)
    _refuse_meaning(names.class_name)
    if names.one == names.many:
        raise OperatorError(f"one {names.one} and many need two names: give --plural")
    if taken := {names.one, names.many} & _IN_A_ROUTE or {names.class_name} & _CLASSES:
        raise OperatorError(f"each resource uses the name `{min(taken)}` itself: choose another")
    if len(names.many) > MAX_NAME // 2:
        raise OperatorError(f"`{names.many}` is too long: at most {MAX_NAME // 2} letters")


def _refuse_meaning(name: str) -> None:
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in dir(builtins):
        raise OperatorError(f"`{name}` means something in Python: choose another name")
    if name in RESERVED_WORDS:
        raise OperatorError(f"`{name}` is a reserved word of SQL: choose another name")


def check_field(name: str, attribute: str, table: str) -> None:
    """OperatorError for a name that a field of this table cannot have."""
    if not _FIELD.fullmatch(name):
        raise OperatorError(f"`{name}` is no name of a field: write small letters, digits and `_`")
    if keyword.iskeyword(attribute) or attribute in _IN_A_CLASS:
        raise OperatorError(f"`{attribute}` means something in Python: choose another name")
    if attribute in RESERVED_WORDS:
        raise OperatorError(f"`{attribute}` is a reserved word of SQL: choose another name")
    if attribute in _OF_EACH_ROW:
        raise OperatorError(f"each row has a `{attribute}` of its own: choose another name")
    if attribute in _OF_EACH_BODY or attribute.startswith(_PROTECTED):
        raise OperatorError(f"pydantic has `{attribute}` in each model: choose another name")
    if len(f"ix_{table}_{attribute}_id") > MAX_NAME:
        raise OperatorError(f"`{attribute}` is too long for the name of an index of {table}")
