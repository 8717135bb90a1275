"""Defects in production: a 500 and a traceback, which tells of no one's data."""

from contextlib import closing

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewService
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import until_unready

BEFORE = "157e0dd5b5e9"  # an older revision of the sandbox
# Of a value of our own: what is too long in a request is the caller's mistake.
TOO_SHORT = """
ALTER TABLE authors DROP CONSTRAINT ck_authors_kind;
ALTER TABLE authors ALTER kind TYPE varchar(3) USING left(kind, 3)
"""
TALKATIVE = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'no: % %', NEW.name, NEW.email USING ERRCODE = '22012'; END $$;
CREATE TRIGGER tell BEFORE INSERT ON authors FOR EACH ROW EXECUTE FUNCTION tell()
"""


async def _join(service: Service, name: str) -> int:
    body = {"name": name, "email": f"{name}@Private.example"}
    with closing(service.wire()) as wire:
        return (await wire.post("/authors", body)).status


async def _list(service: Service) -> tuple[int, str | None]:
    with closing(service.wire()) as wire:
        answer = await wire.get("/books")
    return answer.status, answer.headers.get("retry-after")


async def test_log_of_production_has_tracebacks_without_data(
    new_database: NewDatabase, new_service: NewService
) -> None:
    database = await new_database()
    service = await new_service(database.url(), ENVIRONMENT="production")

    database.query(TOO_SHORT)
    statuses = [await _join(service, "Grace")]
    database.query("ALTER TABLE authors ALTER kind TYPE text")
    database.query(TALKATIVE)
    statuses.append(await _join(service, "Hedy"))

    logged = service.logged()
    assert statuses == [500, 500]
    assert len(service.defects()) == 2
    assert "value too long for type character varying(3)" in logged
    assert "DivisionByZeroError: (withheld)" in logged
    assert "INSERT INTO authors" in logged
    assert not any(word in logged.lower() for word in ("@private", "hedy", "grace"))


async def test_missing_column_is_a_defect_unless_the_schema_is_behind(
    database: Database, new_service: NewService
) -> None:
    service = await new_service(database.url())
    revision = database.query("SELECT version_num FROM alembic_version")[0][0]
    database.query("ALTER TABLE books RENAME title TO titel")
    defect = await _list(service)

    database.query(f"UPDATE alembic_version SET version_num = '{BEFORE}'")
    await until_unready(service)
    behind = await _list(service)

    database.query("ALTER TABLE books RENAME titel TO title")
    database.query(f"UPDATE alembic_version SET version_num = '{revision}'")
    assert revision != BEFORE
    assert defect == (500, None)
    assert behind == (503, "5")
