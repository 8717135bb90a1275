"""What no generator can know is asked for by name, in a line that says where to give it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from plumbline.db.url import psycopg_url
from plumbline.testing.requests import Request
from plumbline.testing.row_values import UnknownRowError, fill
from plumbline.testing.schemas import Schemas, UnknownValueError
from plumbline.testing.service import World

ODD = {"type": "string", "pattern": "^a[0-9]{3}z$"}


@pytest.fixture
def connection(clone: Callable[[], str]) -> Iterator[Connection]:
    with create_engine(psycopg_url(clone()), poolclass=NullPool).begin() as connection:
        yield connection


def test_value_of_a_pattern_is_asked_for() -> None:
    with pytest.raises(
        UnknownValueError, match=r'POST /books: .* ServiceUnderTest.values\["sku"\]'
    ):
        Schemas({}).right(ODD, "POST /books", "sku")

    assert Schemas({}, {"sku": "a123z"}).right(ODD, "POST /books", "sku") == "a123z"


def test_value_for_one_route_wins() -> None:
    schemas = Schemas({}, {"sku": "a123z", "PUT /books sku": "a321z"})

    assert schemas.right(ODD, "PUT /books", "sku") == "a321z"


def test_parameter_of_a_path_is_asked_for() -> None:
    request = Request("get", "/books/{sku}", path_params={"sku": None})

    with pytest.raises(AssertionError, match=r"GET /books/{sku}: give sku in World.path_params"):
        World({}).about(request)
    assert World({}, {"sku": "a"}).about(request).path_params == {"sku": "a"}
    assert World({}, {"sku": "a"}).advice(request) == ""
    assert World({}).advice(request) == " (give sku in World.path_params)"


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("note text CHECK (length(note) > 5)", 'CHECK.*ServiceUnderTest.rows["extra"]'),
        ("spot point NOT NULL", "no value is known for extra.spot"),
    ],
)
def test_row_is_asked_for(connection: Connection, column: str, told: str) -> None:
    connection.execute(text(f"CREATE TABLE extra ({column})"))

    with pytest.raises(UnknownRowError, match="extra") as asked:
        fill(connection, {})
    assert told.partition(".*")[2] in str(asked.value)


def test_row_that_is_given_is_taken(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE extra (note text CHECK (length(note) > 5))"))
    given: dict[str, Any] = {"extra": {"note": "longer", "of_another_revision": 1}}

    tables = fill(connection, given)

    assert {"extra", "books", "idempotency_keys"} <= tables
    assert connection.scalar(text("SELECT note FROM extra")) == "longer"
