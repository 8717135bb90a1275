"""How a field is written: in the model, in a request, in an answer, and as a value in a test."""

from collections.abc import Callable
from dataclasses import dataclass

from plumbline.scaffold.defaults import default_in_python
from plumbline.scaffold.fields import Field
from plumbline.scaffold.models import Model
from plumbline.scaffold.names import class_name

# In Python, the same in the model and in an answer.
_IN_PYTHON = {
    "str": "str",
    "text": "str",
    "int": "int",
    "decimal": "Decimal",
    "float": "float",
    "bool": "bool",
    "date": "date",
    "datetime": "datetime",
    "uuid": "UUID",
    "json": "dict[str, Any]",
}
_IN_A_REQUEST: dict[str, Callable[[Field], str]] = {
    "str": lambda field: f"Annotated[str, Field(max_length={field.length}), OneLine]",
    "text": lambda field: f"Annotated[str, Field(max_length={_number(field.length)}), PlainText]",
    "int": lambda _: "BigInt",
    "decimal": lambda field: f"Annotated[Decimal, Field({_digits(*field.arguments)})]",
    "json": lambda _: "JsonObject",
}
# What PostgreSQL has, where SQLAlchemy would take something else or nothing.
_IN_A_COLUMN: dict[str, Callable[[Field], str]] = {
    "str": lambda field: f"String({field.length})" if field.arguments else "Text",
    "text": lambda _: "Text",
    "decimal": lambda field: "Numeric({}, {})".format(*field.arguments),
}
# Of an array no column says more than this.
_IN_AN_ARRAY = {
    "text": "Text",
    "int": "BigInteger",
    "decimal": "Numeric",
    "float": "Double",
    "bool": "Boolean",
    "date": "Date",
    "datetime": "DateTime(timezone=True)",
    "uuid": "Uuid",
}
# Two values each, as JSON.
_VALUES: dict[str, tuple[object, object]] = {
    "str": ("x", "y"),
    "text": ("Some words.\nAnd more.", "Other words."),
    "int": (1, -2),
    "float": (1.5, -0.5),
    "bool": (True, False),
    "date": ("2026-01-31", "1999-12-31"),
    "datetime": ("2026-01-31T12:00:00Z", "1999-12-31T23:59:59Z"),
    "uuid": ("7c4fd9a5-8d9c-4b1e-9d53-1f0a3c5f4f0e", "00000000-0000-4000-8000-000000000000"),
    "json": ({"any": ["thing"]}, {}),
}


@dataclass(frozen=True)
class Written:
    """The parts of a field; `column` is a line of the model, None where it is in another table."""

    field: Field
    attribute: str
    column: str
    in_request: str
    in_answer: str
    values: tuple[str, str] | None  # two of them in Python; None for ids of other rows


def write_field(field: Field, owner: str, target: Model | None, *, is_owner: bool) -> Written:
    """`owner` is the name of the resource that has the field, `target` what it refers to."""
    if target is not None:
        column = _reference(field, target, is_owner=is_owner)
        wanted = "Id | None = None" if field.is_optional else "Id"
        given = "int | None" if field.is_optional else "int"
        return Written(field, field.attribute, column, wanted, given, None)
    of_model = _in_python(field, owner)
    wanted = _in_request(field, owner)
    optional = " | None" if field.is_optional else ""
    stored = [] if field.default is None else [f'server_default="{field.default}"']
    arguments = ", ".join([*_arguments(field, owner), *stored])
    column = f"{field.name}: Mapped[{of_model}{optional}]"
    column += f" = mapped_column({arguments})" if arguments else ""
    wanted += f"{optional} = None" if optional else ""
    if field.default is not None:
        wanted += f" = {default_in_python(field.type, field.default)}"
    return Written(field, field.name, column, wanted, of_model + optional, _values(field))


def labels_name(field: Field, owner: str) -> str:
    """Of the type whose values an enum lists."""
    return class_name(f"{owner}_{field.name}")


def _reference(field: Field, target: Model, *, is_owner: bool) -> str:
    """What belongs to somebody goes with them; what merely refers stays, or holds it back."""
    on_delete = "SET NULL" if field.is_optional else "CASCADE" if is_owner else "RESTRICT"
    mark = "unique=True" if field.is_unique else ""
    key = f'ForeignKey("{target.table}.id", ondelete="{on_delete}")'
    kind = "int | None" if field.is_optional else "int"
    arguments = ", ".join(filter(None, [key, mark]))
    return f"{field.attribute}: Mapped[{kind}] = mapped_column({arguments})"


def _in_python(field: Field, owner: str) -> str:
    if field.type == "enum":
        return labels_name(field, owner)
    one = _IN_PYTHON[field.type]
    return f"list[{one}]" if field.is_array else one


def _in_request(field: Field, owner: str) -> str:
    if field.type == "enum":
        return labels_name(field, owner)
    write = _IN_A_REQUEST.get(field.type)
    one = write(field) if write else _IN_PYTHON[field.type]
    if not field.is_array:
        return one
    one = "Line" if field.type == "str" and not field.arguments else one
    return f"Annotated[list[{one}], Field(max_length=100)]"


def _arguments(field: Field, owner: str) -> list[str]:
    """Of `mapped_column`, where the annotation does not say all."""
    if field.type == "enum":
        name = f"{owner}_{field.name}"
        return [f'Enum(*get_args({labels_name(field, owner)}), name="{name}")']
    if field.is_array:
        return _array(field)
    write = _IN_A_COLUMN.get(field.type)
    found = [write(field)] if write else []
    return [*found, "unique=True"] if field.is_unique else found


def _array(field: Field) -> list[str]:
    if field.type != "str":
        return [f"ARRAY({_IN_AN_ARRAY[field.type]})"]
    return [f"ARRAY(String({field.length}))"] if field.arguments else []  # TYPES has list[str]


def _values(field: Field) -> tuple[str, str]:
    first: object
    last: object
    if field.type == "enum":
        first, last = field.arguments[0], field.arguments[-1]
    elif field.type == "decimal":
        first, last = _decimal(field, "1"), _decimal(field, "2")
    else:
        first, last = _VALUES[field.type]
    if isinstance(first, str) and isinstance(last, str) and field.type == "text":
        first, last = first[: field.length], last[: field.length]
    found = ([first], [last, first]) if field.is_array else (first, last)
    return repr(found[0]), repr(found[1])


def _decimal(field: Field, digit: str) -> str:
    """As it comes back: with all places of the column, unless an array keeps it as it is."""
    digits, places = map(int, field.arguments)
    if places == 0:
        return digit
    whole = "0" if digits == places else digit
    return f"{whole}.{digit}" + "0" * (places - 1)


def _digits(digits: str, places: str) -> str:
    """With bounds where none is before the point: the document has no other way to say so."""
    bounds = ", gt=-1, lt=1" if digits == places else ""
    return f"max_digits={digits}, decimal_places={places}{bounds}"


def _number(number: int) -> str:
    return f"{number:_}"
