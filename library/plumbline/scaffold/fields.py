"""A field as somebody types it: `published:date?`, `isbn:str(13):unique`, `author:user`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from plumbline.errors import OperatorError
from plumbline.scaffold.defaults import fault_of_default

# Each with how many arguments it takes: the least and the most.
TYPES = {
    "str": (0, 1),
    "text": (0, 1),
    "int": (0, 0),
    "decimal": (2, 2),
    "float": (0, 0),
    "bool": (0, 0),
    "date": (0, 0),
    "datetime": (0, 0),
    "uuid": (0, 0),
    "json": (0, 0),
    "enum": (1, 100),
    "many": (1, 1),
}
_UNIQUE = {"str", "int", "decimal", "date", "datetime", "uuid"}
_INDEXED = {*_UNIQUE, "float", "enum"}
_ARRAYS = {*_INDEXED, "text", "bool"} - {"enum"}

_FIELD = re.compile(
    r"(?P<name>[^:]+):(?P<type>[^:(\[?]+)(?:\((?P<arguments>[^()]*)\))?"
    r"(?P<array>\[\])?(?P<optional>\?)?(?P<marks>(?::[^:]*)*)"
)
_BETWEEN = re.compile(r"\s+(?![^()]*\))")  # blanks, but not those in brackets
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. +-]{0,49}")
_DEFAULT = re.compile(r"default\((.*)\)")
_GRAMMAR = "write NAME:TYPE, as in title:str(200), published:date? or isbn:str(13):unique"
MAX_TEXT = 10_000  # characters of a text that says no length
MAX_DIGITS = 38  # of a decimal; PostgreSQL has more, few clients do
MAX_STR = 2_000  # characters of an indexed value that fit into a page of an index


@dataclass(frozen=True)
class Field:
    """A field; `type` is one of TYPES, or the name of the model that it refers to."""

    name: str
    type: str
    arguments: tuple[str, ...] = ()
    is_array: bool = False
    is_optional: bool = False
    is_unique: bool = False
    is_indexed: bool = False
    default: str | None = None  # as it was typed

    @property
    def refers_to(self) -> str | None:
        """The name of a model; None for a field that has a value of its own."""
        if self.type == "many":
            return self.arguments[0]
        return None if self.type in TYPES else self.type

    @property
    def is_reference(self) -> bool:
        """Whether a row has the id of one other row."""
        return self.type not in TYPES

    @property
    def attribute(self) -> str:
        """What the model and the API call it."""
        return f"{self.name}_id" if self.is_reference else self.name

    @property
    def length(self) -> int:
        """The most characters of a text."""
        least = MAX_TEXT if self.type == "text" else 200
        return int(self.arguments[0]) if self.arguments else least

    @property
    def can_be_sorted_by(self) -> bool:
        """Whether an index has its order, with the key."""
        if self.is_reference or self.is_array:
            return False
        return self.is_indexed or (self.is_unique and not self.is_optional)

    @property
    def can_be_filtered_by(self) -> bool:
        """Whether an index begins with it."""
        return self.is_reference or self.is_indexed or self.is_unique


def parse_fields(words: Sequence[str]) -> tuple[Field, ...]:
    """Each word may be several fields: a shell takes brackets only in quotes."""
    return tuple(map(parse_field, _BETWEEN.split(" ".join(words).strip())))


def parse_field(text: str) -> Field:
    """The field; OperatorError for one that cannot be, in one line."""
    found = _FIELD.fullmatch(text)
    if found is None:
        raise OperatorError(f"`{text}` is no field: {_GRAMMAR}")
    marks, default = _marks(text, found["marks"].split(":")[1:])
    arguments = [] if found["arguments"] is None else found["arguments"].split(",")
    field = Field(
        name=found["name"],
        type=found["type"],
        arguments=tuple(each.strip() for each in arguments),
        is_array=bool(found["array"]),
        is_optional=bool(found["optional"]),
        is_unique="unique" in marks,
        is_indexed="index" in marks,
        default=default,
    )
    if (fault := _find_fault(field)) is not None:
        raise OperatorError(f"`{text}`: {fault}")
    return field


def _marks(text: str, words: list[str]) -> tuple[set[str], str | None]:
    """The marks of a field, and its default."""
    defaults = [given[1] for word in words if (given := _DEFAULT.fullmatch(word))]
    marks = {word for word in words if not _DEFAULT.fullmatch(word)}
    if wrong := sorted(marks - {"unique", "index"}):
        known = ":unique, :index or :default(VALUE)"
        raise OperatorError(f"`{text}`: `{wrong[0]}` is unknown: write {known}")
    return marks, next(iter(defaults), None)


def _find_fault(field: Field) -> str | None:
    faults = (_fault_of_arguments, _fault_of_marks, _fault_of_default)
    return next((fault for find in faults if (fault := find(field))), None)


def _fault_of_arguments(field: Field) -> str | None:
    least, most = TYPES.get(field.type, (0, 0))
    if not least <= len(field.arguments) <= most:
        return f"{field.type} takes {_amount(least, most)} in brackets"
    if field.type == "str" and not field.arguments and not field.is_array:
        return f"say how long it may be, as in {field.name}:str(200)"
    if field.type in {"str", "text"} and not _is_number(field.arguments, 1, 1_000_000):
        return "the length is a number from 1 on"
    if field.type == "decimal":
        return _fault_of_decimal(field)
    if field.type == "enum":
        return _fault_of_labels(field.arguments)
    return None


def _fault_of_decimal(field: Field) -> str | None:
    digits, places = field.arguments
    if not _is_number([digits], 1, MAX_DIGITS) or not _is_number([places], 0, int(digits)):
        return f"decimal(digits,places) has at most {MAX_DIGITS} digits, and no more places"
    return None


def _fault_of_labels(labels: tuple[str, ...]) -> str | None:
    if wrong := [label for label in labels if not _LABEL.fullmatch(label)]:
        return f"`{wrong[0]}` is no value of an enum: letters, digits, `_.+-` and blanks, up to 50"
    return "a value stands there twice" if len({*labels}) < len(labels) else None


def _fault_of_marks(field: Field) -> str | None:
    if field.is_array and field.type not in _ARRAYS:
        return f"there are no arrays of {field.type}: write many(MODEL), or json"
    if field.type == "many" and (field.is_optional or field.is_unique or field.is_indexed):
        return "many(MODEL) takes no marks: a row may have none of them"
    if field.is_unique and not _takes(field, _UNIQUE):
        return f"{_shown(field)} cannot be unique"
    if field.is_indexed and (field.is_unique or not _takes(field, _INDEXED)):
        return f"{_shown(field)} takes no :index" + (
            ", since it is unique" if field.is_unique else ""
        )
    if (field.is_unique or field.is_indexed) and field.type == "str" and field.length > MAX_STR:
        return f"what has an index is at most {MAX_STR} characters long"
    return None


def _fault_of_default(field: Field) -> str | None:
    if field.default is None:
        return None
    if field.is_array or field.is_optional or field.is_unique:
        return "a default is for a field that is required, not unique, and no array"
    length = field.length if field.type in {"str", "text"} else 0
    return fault_of_default(field.type, field.arguments, length, field.default)


def _takes(field: Field, types: set[str]) -> bool:
    return not field.is_array and (field.is_reference or field.type in types)


def _shown(field: Field) -> str:
    return f"{field.type}[]" if field.is_array else field.type


def _is_number(texts: list[str] | tuple[str, ...], least: int, most: int) -> bool:
    return all(re.fullmatch("[0-9]{1,9}", text) and least <= int(text) <= most for text in texts)


def _amount(least: int, most: int) -> str:
    if most == 0:
        return "nothing"
    words = f"{least}" if least == most else f"{least} to {most}"
    return f"{words} argument{'' if words == '1' else 's'}"
