"""A statement is compiled once, when its module is imported; what cannot work is refused then."""

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Text,
    Time,
    Uuid,
    any_,
    bindparam,
)
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.orm import Session
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import SQLCoreOperations
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

T = TypeVar("T")
Convert = Callable[[Any], Any]
Build = Callable[..., Any]

DIALECT = PGDialect_asyncpg(dbapi=PGDialect_asyncpg.import_dbapi())  # type: ignore[no-untyped-call]
_CHECKED = (LargeBinary, Boolean)  # what SQLAlchemy would do to them, asyncpg does itself
# The type of a parameter of which the statement says none, as in LIMIT or `= ANY (…)`.
_TYPES: dict[type, TypeEngine[Any]] = {
    bool: Boolean(),
    int: BigInteger(),
    float: Double(),
    Decimal: Numeric(),
    str: Text(),
    bytes: LargeBinary(),
    UUID: Uuid(),
    datetime: DateTime(timezone=True),
    date: Date(),
    time: Time(),
    timedelta: Interval(),
}
# PostgreSQL's numbers of the types that SQLAlchemy reads by what the wire says they are.
_NUMERIC, _FLOAT8 = 1700, 701
# Before the names of parameters in the SQL: a column's name SQLAlchemy keeps for itself.
_GIVEN = "given_"
_OURS = "="  # before the names of other values, so that none is a parameter's
_LISTENS = (
    "{} listens to do_orm_execute, and does not see compiled statements: write its criteria into "
    "the statement and say passes_by_listeners=True, or execute it with a session"
)
_NO_LIST = "IN with a list writes other SQL for each length: write is_any_of(column, values)"


@dataclass(slots=True)
class Compiled:
    """SQL, and how values become its arguments and rows its results.

    `names` are those of the arguments in their order: parameters, and with `_OURS` before them
    `constants` and `defaults` (functions, called each time). `write` and `readers` convert
    what the driver would not, by name and by position; None in `readers`: as it comes.
    """

    statement: Any
    sql: str
    names: tuple[str, ...]
    parameters: frozenset[str]
    constants: dict[str, object]
    defaults: dict[str, Callable[[], object]]
    write: dict[str, Convert]
    readers: tuple[Convert | None, ...]


def is_any_of(column: SQLCoreOperations[T], values: Collection[T]) -> ColumnElement[bool]:
    """`column = ANY (values)`: as IN, with one parameter however many values there are.

    In a compiled statement `values` is a parameter of its function; elsewhere IN, with a parameter
    for each value, ends at 32,767 of them.
    """
    of: Any = column
    array = ARRAY(_without_length(of.type))
    given: Any = values
    bind: BindParameter[Any] = (
        bindparam(given.key, type_=array)
        if isinstance(given, BindParameter)
        else bindparam(None, list(values), type_=array)
    )
    return column == any_(bind)


def _without_length(of: Any) -> TypeEngine[Any]:  # noqa: ANN401 - with what SQLAlchemy hides
    """A value that is longer than the column is none of its values: a cast would cut it."""
    longer: TypeEngine[Any] = of
    if isinstance(of, TypeDecorator) and isinstance(of.impl_instance, String):
        longer = of.copy()
        vars(longer)["impl"] = vars(longer)["impl_instance"] = _without_length(of.impl_instance)
    elif isinstance(of, Enum):
        longer = of.copy()  # type: ignore[no-untyped-call]
        vars(longer)["length"] = None
    elif isinstance(of, String):
        longer = Text()
    return longer


def compile_statement(build: Build | ClauseElement) -> Compiled:
    """The statement, or what the function `build` gives for parameters in place of its values.

    TypeError for one that cannot be compiled once for all values, in a sentence.
    """
    types = {} if isinstance(build, ClauseElement) else _parameters_of(build)
    statement = build if isinstance(build, ClauseElement) else _build(build, types)
    compiled: Any = statement.compile(dialect=DIALECT)
    if compiled.post_compile_params:
        raise TypeError(_NO_LIST)
    binds: dict[str, BindParameter[Any]] = {
        name.removeprefix(_GIVEN) if name.startswith(_GIVEN) else _OURS + name: bind
        for name, bind in compiled.binds.items()
    }
    _check_parameters(types, binds)
    defaults = dict(_defaults_of(compiled.insert_prefetch))
    return Compiled(
        statement=statement,
        sql=str(compiled),
        names=tuple(
            name.removeprefix(_GIVEN) if name.startswith(_GIVEN) else _OURS + name
            for name in compiled.positiontup or ()
        ),
        parameters=frozenset(types),
        constants=dict(_constants_of(binds, types.keys() | defaults.keys())),
        defaults=defaults,
        write={name: convert for name, bind in binds.items() if (convert := _writer(bind))},
        readers=_readers(compiled),
    )


def _build(build: Build, types: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a statement
    binds: dict[str, BindParameter[Any]] = {name: bindparam(_GIVEN + name) for name in types}
    statement = build(**binds)
    for name, bind in binds.items():  # the statement has a copy of it where it knows the type
        if isinstance(bind.type, NullType):
            bind.type = _type_for(types[name])
    return statement


def _parameters_of(build: Build) -> dict[str, Any]:
    """The types that the function says, by name; Any where it says none."""
    parameters = inspect.signature(build).parameters
    if wrong := [p.name for p in parameters.values() if p.kind is not p.KEYWORD_ONLY]:
        raise TypeError(f"{_list(wrong)}: values are given by name, so write `*, {wrong[0]}`")
    said = get_type_hints(build)
    return {name: said.get(name, Any) for name in parameters}


def _plain(said: Any) -> Any:  # noqa: ANN401 - an annotation
    """Without the None of an optional one."""
    others = [each for each in get_args(said) if each is not type(None)]
    is_optional = type(None) in get_args(said)
    return others[0] if is_optional and len(others) == 1 else said


def _type_for(said: Any) -> TypeEngine[Any]:  # noqa: ANN401 - an annotation
    said = _plain(said)
    if get_origin(said) is list:
        of = _type_for(get_args(said)[0])
        return NullType() if isinstance(of, NullType) else ARRAY(of)
    return _TYPES.get(said, NullType())


def _check_type(name: str, said: Any, used: TypeEngine[Any]) -> None:  # noqa: ANN401 - an annotation
    """Mypy takes any value to compare a column with; a wrong one would fail at each run."""
    said = _plain(said)
    said = get_origin(said) or said
    # What a TypeDecorator takes nobody knows but its author.
    if (
        not isinstance(said, type)
        or said in {Any, object}
        or isinstance(used, NullType | TypeDecorator)
    ):
        return
    try:
        needed = used.python_type
    except NotImplementedError:
        return
    is_number = needed in {float, Decimal} and issubclass(said, int | float | Decimal)
    if not issubclass(said, needed) and not is_number:
        raise TypeError(
            f"{name}: {said.__name__}, but the statement compares it with "
            f"{used!r}, which takes {needed.__name__}"
        )


def _check_parameters(types: Mapping[str, Any], binds: Mapping[str, BindParameter[Any]]) -> None:
    if unused := types.keys() - binds.keys():
        raise TypeError(f"the statement does not use its parameter {_list(unused)}")
    for name, said in types.items():
        _check_type(name, said, binds[name].type)


def _constants_of(
    binds: Mapping[str, BindParameter[Any]], others: Collection[str]
) -> Iterator[tuple[str, object]]:
    for name, bind in binds.items():
        if name in others:
            continue
        if bind.required:
            own = name.removeprefix(_OURS)
            raise TypeError(f"{own}: make it a parameter of a function, in place of a bindparam")
        yield name, bind.effective_value


def _defaults_of(columns: Sequence[Column[Any]]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Python's defaults of the columns that the INSERT does not name, as SQLAlchemy runs them."""
    for column in columns:
        default: Any = column.default
        if default.is_callable and _reads_others(default.arg):
            raise TypeError(f"{column}: its default reads other values: name it in values()")
        make = default.arg if default.is_callable else None
        yield _OURS + column.key, partial(make, None) if make else partial(_same, default.arg)


def _same(value: object) -> object:
    return value


def _reads_others(make: Callable[..., object]) -> bool:
    """SQLAlchemy wraps a default without a parameter; one that has it reads the context."""
    return not hasattr(make, "__wrapped__")


def _writer(bind: BindParameter[Any]) -> Convert | None:
    if isinstance(bind.type, _CHECKED):
        return None
    convert: Convert | None = bind.type.dialect_impl(DIALECT).bind_processor(DIALECT)
    return convert


def _readers(compiled: Any) -> tuple[Convert | None, ...]:  # noqa: ANN401 - SQLAlchemy's
    """By position. Not by `exported_columns`, which leave out what is text."""
    columns = compiled._result_columns  # noqa: SLF001
    readers = tuple(_reader(column.type) for column in columns)
    return readers if any(readers) else ()


def _reader(of: TypeEngine[Any]) -> Convert | None:
    read: Convert | None = of.dialect_impl(DIALECT).result_processor(DIALECT, _wire_type(of))
    return read


def _wire_type(of: TypeEngine[Any]) -> int | None:
    """How PostgreSQL numbers what comes, where SQLAlchemy asks for it."""
    if isinstance(of, ARRAY):
        return _wire_type(of.item_type)
    if isinstance(of, TypeDecorator):
        return _wire_type(of.impl_instance)
    return _FLOAT8 if isinstance(of, Float) else _NUMERIC if isinstance(of, Numeric) else None


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def refuse_listeners(kind: type[Session]) -> None:
    """TypeError if such sessions change their statements, as nobody changes a compiled one.

    Soft deletion and tenants are often done so (`with_loader_criteria`).
    """
    for listener in kind().dispatch.do_orm_execute:
        if not listener.__module__.startswith("plumbline."):
            raise TypeError(_LISTENS.format(f"{listener.__module__}.{listener.__name__}"))
