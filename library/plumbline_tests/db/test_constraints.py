"""Violated constraints: which conflict it is, and about which field."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from plumbline.db.engine import create_engine
from plumbline.db.errors import classify
from plumbline.errors import AppError, Conflict, Invalid
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.models import Base

TABLES = """
CREATE TABLE rooms (
    id int PRIMARY KEY, name text NOT NULL, size int CONSTRAINT rooms_size_check CHECK (size > 0),
    door int CONSTRAINT one_door UNIQUE, parent_id int REFERENCES rooms
);
CREATE UNIQUE INDEX large_names ON rooms (lower(name::text)) WHERE size > 10;
CREATE UNIQUE INDEX ON rooms (size, parent_id) WHERE size = 1;
CREATE TABLE bookings (
    room_id int REFERENCES rooms,
    during int4range, CONSTRAINT overlap EXCLUDE USING gist (during WITH &&)
);
CREATE TABLE keys (room_id int REFERENCES rooms ON DELETE RESTRICT);
CREATE TABLE late (room_id int REFERENCES rooms DEFERRABLE INITIALLY DEFERRED);
INSERT INTO rooms VALUES (1, 'Blue', 20, 1), (2, 'Red', 7, 2), (3, 'Green', 1, 3);
INSERT INTO rooms VALUES (4, 'x', 1, 4, 3);
INSERT INTO bookings VALUES (1, '[1,5]');
INSERT INTO keys VALUES (2);
INSERT INTO authors (name) VALUES ('ada');
INSERT INTO books (title, content, author_id) SELECT 'x', 'x', id FROM authors;
CREATE UNIQUE INDEX one_draft ON books (author_id) WHERE title = 'x';
ALTER TABLE books ADD CONSTRAINT books_content_check CHECK (content <> 'no');
ALTER TABLE books DROP CONSTRAINT fk_books_author_id_authors,
    ADD CONSTRAINT fk_books_author_id_authors FOREIGN KEY (author_id) REFERENCES authors;
"""

TAKEN, OVERLAPS = "It exists already.", "It overlaps with something that exists."
USED, MISSING = "Something still refers to it.", "Something that this refers to does not exist."
RULE = "A value breaks a rule of the database."
BOOK = "INSERT INTO books (title, content, author_id)"


@pytest.fixture
async def rooms() -> AsyncIterator[AsyncConnection]:
    """A transaction that is rolled back, with tables that have every kind of constraint."""
    engine = create_engine(settings, pool_size=1, max_overflow=0, models=Base.metadata)
    async with engine.connect() as db:
        await db.execute(text("SELECT 1"))  # BEGIN
        await _driver(db).execute(TABLES)
        yield db
        await db.rollback()
    await engine.dispose()


def _driver(db: AsyncConnection) -> Any:  # noqa: ANN401 - asyncpg's
    return db.sync_connection.connection.driver_connection  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("sql", "kind", "detail", "field"),
    [
        ("INSERT INTO rooms VALUES (1, 'x')", Conflict, TAKEN, "id taken"),
        ("INSERT INTO rooms VALUES (9, 'x', 1, 1)", Conflict, TAKEN, "door taken"),
        ("INSERT INTO rooms VALUES (9, 'BLUE', 11)", Conflict, TAKEN, "name taken"),
        (
            "INSERT INTO rooms VALUES (9, 'x', 1, 9, 3)",
            Conflict,
            TAKEN,
            "size taken, parent_id taken",
        ),
        (f"{BOOK} SELECT 'x', 'y', id FROM authors", Conflict, TAKEN, "author_id taken"),
        ("INSERT INTO bookings VALUES (2, '[5,9]')", Conflict, OVERLAPS, "during taken"),
        ("INSERT INTO bookings VALUES (8, '[7,9]')", Conflict, MISSING, "room_id missing"),
        ("UPDATE rooms SET parent_id = 8 WHERE id = 1", Conflict, MISSING, "parent_id missing"),
        ("INSERT INTO late VALUES (8)", Conflict, MISSING, "room_id missing"),
        (f"{BOOK} VALUES ('y', 'y', 0)", Conflict, MISSING, "author_id missing"),
        ("DELETE FROM rooms WHERE id = 1", Conflict, USED, "id in_use"),
        ("DELETE FROM rooms WHERE id = 2", Conflict, USED, "id in_use"),
        ("DELETE FROM rooms WHERE id = 3", Conflict, USED, "id in_use"),
        ("UPDATE rooms SET id = 7 WHERE id = 1", Conflict, USED, "id in_use"),
        ("DELETE FROM authors", Conflict, USED, "id in_use"),
        ("INSERT INTO rooms VALUES (9, NULL)", Invalid, RULE, "name invalid"),
        (f"{BOOK} VALUES ('', 'x', 1)", Invalid, RULE, "title invalid"),
        (f"{BOOK} VALUES ('z', 'no', 1)", Invalid, RULE, "content invalid"),
        ("UPDATE authors SET kind = 'king', updated_at = now()", Invalid, RULE, "kind invalid"),
    ],
)
@pytest.mark.parametrize("hides", [False, True], ids=["development", "production"])
async def test_violation_says_what_is_wrong_with_which_field(
    rooms: AsyncConnection, sql: str, kind: type[AppError], detail: str, field: str, *, hides: bool
) -> None:
    rooms.sync_engine.hide_parameters = hides
    await rooms.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

    with pytest.raises(IntegrityError) as caught:
        await rooms.execute(text(sql))

    meaning = classify(caught.value)
    assert type(meaning) is kind
    assert meaning.detail == detail
    assert ", ".join(f"{error.field} {error.code}" for error in meaning.errors) == field
