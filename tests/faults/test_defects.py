"""Defects in production: a 500 and a traceback, which tells of no one's data."""

from contextlib import closing

from plumbline_tests.faults.database import Database
from plumbline_tests.faults.fixtures import NewDatabase, NewService
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import until_unready
from tests.faults.test_durability import PRODUCTION
from tests.people import PASSWORD

TOO_SHORT = (
    "ALTER TABLE users ALTER hashed_password TYPE varchar(50) USING left(hashed_password, 50)"
)
TALKATIVE = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'no: % %', NEW.email, NEW.hashed_password USING ERRCODE = '22012'; END $$;
CREATE TRIGGER tell BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION tell()
"""


async def _sign_up(service: Service, name: str) -> int:
    body = {"username": name, "email": f"{name}@private.example", "password": PASSWORD}
    with closing(service.wire({"Host": "test"})) as wire:
        return (await wire.post("/api/v1/users", body)).status


async def _list(service: Service) -> tuple[int, str | None]:
    with closing(service.wire({"Host": "test"})) as wire:
        answer = await wire.get("/api/v1/posts")
    return answer.status, answer.headers.get("retry-after")


async def test_log_of_production_has_tracebacks_without_data(
    new_database: NewDatabase, new_service: NewService
) -> None:
    database = await new_database()
    database.query("CREATE ROLE service SUPERUSER LOGIN PASSWORD 'secret'")
    url = database.url().replace("postgres:postgres@", "service:secret@")
    service = await new_service(url, **PRODUCTION)

    database.query(TOO_SHORT)
    statuses = [await _sign_up(service, "grace")]
    database.query("ALTER TABLE users ALTER hashed_password TYPE text")
    database.query(TALKATIVE)
    statuses.append(await _sign_up(service, "hedy"))

    logged = service.logged()
    assert statuses == [500, 500]
    assert len(service.defects()) == 2
    assert "value too long for type character varying(50)" in logged
    assert "DivisionByZeroError: (withheld)" in logged
    assert "INSERT INTO users" in logged
    assert not any(word in logged for word in ("@private", "argon2", "hedy", "grace"))


async def test_missing_column_is_a_defect_unless_the_schema_is_behind(
    database: Database, new_service: NewService
) -> None:
    service = await new_service(database.url())
    revision = database.query("SELECT version_num FROM alembic_version")[0][0]
    database.query("ALTER TABLE posts RENAME title TO titel")
    defect = await _list(service)

    database.query("UPDATE alembic_version SET version_num = '95b15db33c97'")
    await until_unready(service)
    behind = await _list(service)

    database.query("ALTER TABLE posts RENAME titel TO title")
    database.query(f"UPDATE alembic_version SET version_num = '{revision}'")
    assert defect == (500, None)
    assert behind == (503, "5")
