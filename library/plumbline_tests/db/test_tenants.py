"""Two tenants of one database see each other nowhere, whichever WHERE somebody forgets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import pytest
from sqlalchemy import ForeignKey, Identity, MetaData, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbline.db.base import NAMING_CONVENTION, TYPES
from plumbline.db.engine import Engine, create_engine
from plumbline.db.errors import classify
from plumbline.db.read_session import read_session_factory
from plumbline.db.session import SessionFactory, session_factory
from plumbline.db.statements import CompiledSelect
from plumbline.db.tenants import isolate, isolation_sql, require_isolation, set_tenant
from plumbline.errors import OperatorError
from plumbline.testing.cluster import Cluster
from plumbline_tests.sandbox.database import settings

ROLE = "tenants_app"
THEIRS, OURS = 1, 2


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = TYPES


class Tenant(Base):
    __tablename__ = "tenants"

    id: Mapped[int] = mapped_column(primary_key=True)


class Invoice(Base):
    """Named so that it must be quoted."""

    __tablename__ = "Invoice of"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    note: Mapped[str]
    tenant_id: Mapped[int] = mapped_column(
        ForeignKey("tenants.id"), server_default=text("plumbline_tenant()::bigint"), index=True
    )


isolate(Invoice.tenant_id)


@pytest.fixture(scope="module")
async def database(postgres: Cluster) -> AsyncIterator[str]:
    """Made by a superuser; each of two tenants has two invoices."""
    url = postgres.create("tenants", "sandbox_template")
    owner = create_engine(settings, url)
    async with owner.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(text(f"CREATE ROLE {ROLE}"))
        await connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}"))
    yield url
    async with owner.begin() as connection:
        await connection.execute(text(f"DROP OWNED BY {ROLE}"))
        await connection.execute(text(f"DROP ROLE {ROLE}"))
    await owner.dispose()
    postgres.drop("tenants")


@pytest.fixture
async def owner(database: str) -> AsyncIterator[Engine]:
    made = create_engine(settings, database, pool_size=1, max_overflow=0)
    yield made
    await made.dispose()


@pytest.fixture
async def engine(database: str, owner: Engine) -> AsyncIterator[Engine]:
    """As the service connects; of one connection, which all share."""
    rows = [{"tenant_id": tenant, "note": f"of {tenant}"} for tenant in (THEIRS, OURS) * 2]
    async with owner.begin() as connection:
        await connection.execute(delete(Invoice))
        await connection.execute(delete(Tenant))
        await connection.execute(insert(Tenant), [{"id": THEIRS}, {"id": OURS}])
        await connection.execute(insert(Invoice), rows)
    made = create_engine(settings, database, role=ROLE, pool_size=1, max_overflow=0)
    yield made
    await made.dispose()


@pytest.fixture
def sessions(engine: Engine) -> SessionFactory:
    return session_factory(engine)


async def _by_orm(db: AsyncSession) -> set[int]:
    return set(await db.scalars(select(Invoice.tenant_id)))


async def _by_text(db: AsyncSession) -> set[int]:
    return set(await db.scalars(text('SELECT tenant_id FROM "Invoice of"')))


async def _by_join(db: AsyncSession) -> set[int]:
    both = select(Tenant.id).outerjoin(Invoice, Invoice.tenant_id == Tenant.id)
    return set(await db.scalars(both.where(Invoice.id.is_not(None))))


async def _by_compiled(db: AsyncSession) -> set[int]:
    return set(await CompiledSelect(select(Invoice.tenant_id), int).all(db))


async def _by_aggregate(db: AsyncSession) -> set[int]:
    count = await db.scalar(select(func.count()).select_from(Invoice))
    return await _by_orm(db) if count == 2 else set()


async def _by_update(db: AsyncSession) -> set[int]:
    changed = update(Invoice).values(note="changed").returning(Invoice.tenant_id)
    return set(await db.scalars(changed))


async def _by_delete(db: AsyncSession) -> set[int]:
    return set(await db.scalars(delete(Invoice).returning(Invoice.tenant_id)))


WAYS = [_by_orm, _by_text, _by_join, _by_compiled, _by_aggregate, _by_update, _by_delete]
Way = Callable[[AsyncSession], Awaitable[Any]]


@pytest.mark.parametrize("way", WAYS)
async def test_statement_without_a_where_finds_the_tenants_rows_alone(
    way: Way, sessions: SessionFactory, owner: Engine
) -> None:
    async with sessions.begin() as db:
        set_tenant(db, OURS)
        assert await way(db) == {OURS}

    async with owner.connect() as connection:
        theirs = select(Invoice.note).where(Invoice.tenant_id == THEIRS)
        assert list(await connection.scalars(theirs)) == [f"of {THEIRS}"] * 2


async def test_tenants_take_turns_on_one_connection(sessions: SessionFactory) -> None:
    """Also when its plans are kept, from the sixth time on."""
    for tenant in (THEIRS, OURS) * 10:
        async with sessions.begin() as db:
            set_tenant(db, tenant)
            assert await _by_orm(db) == {tenant}
            assert await _by_compiled(db) == {tenant}


@pytest.mark.parametrize("way", WAYS)
async def test_transaction_that_is_nobodys_is_a_defect(
    way: Way, sessions: SessionFactory, engine: Engine
) -> None:
    async with sessions.begin() as db:
        set_tenant(db, OURS)
        await db.execute(select(Invoice))

    async with sessions() as db:
        with pytest.raises(DBAPIError, match="nobody's: set_tenant") as caught:
            await way(db)

    assert classify(caught.value) is None
    with pytest.raises(DBAPIError, match="nobody's: set_tenant"):
        await CompiledSelect(select(Invoice.tenant_id), int).all(engine)


async def test_row_belongs_to_the_tenant_whatever_it_says(sessions: SessionFactory) -> None:
    async with sessions.begin() as db:
        set_tenant(db, OURS)
        db.add(Invoice(note="mine"))
        await db.flush()
        assert await db.scalar(select(Invoice.tenant_id).where(Invoice.note == "mine")) == OURS


@pytest.mark.parametrize(
    "statement",
    [insert(Invoice).values(note="x", tenant_id=THEIRS), update(Invoice).values(tenant_id=THEIRS)],
    ids=["insert", "update"],
)
async def test_row_cannot_be_given_to_another_tenant(
    statement: Any,  # noqa: ANN401 - INSERT or UPDATE
    sessions: SessionFactory,
) -> None:
    async with sessions() as db:
        set_tenant(db, OURS)
        with pytest.raises(DBAPIError, match="violates row-level security policy"):
            await db.execute(statement)


async def test_each_transaction_of_a_session_is_the_tenants(sessions: SessionFactory) -> None:
    async with sessions() as db:
        set_tenant(db, OURS)
        for _ in range(3):
            assert await _by_orm(db) == {OURS}
            await db.rollback()


async def test_session_that_cannot_be_a_tenants_is_refused(
    sessions: SessionFactory, engine: Engine
) -> None:
    async with read_session_factory(engine)() as reader:
        with pytest.raises(TypeError, match="a read session has no transaction to begin"):
            set_tenant(reader, OURS)
    async with sessions() as db:
        await db.execute(select(Tenant))
        with pytest.raises(TypeError, match="the transaction has begun as nobody's"):
            set_tenant(db, OURS)


async def test_role_that_sees_everything_stops_the_start(owner: Engine, engine: Engine) -> None:
    with pytest.raises(OperatorError, match="its role passes by row-level security"):
        await require_isolation(owner, Base.metadata)

    await require_isolation(engine, Base.metadata)


async def test_table_that_keeps_nobody_apart_stops_the_start(owner: Engine, engine: Engine) -> None:
    async with owner.begin() as connection:
        await connection.execute(text('ALTER TABLE "Invoice of" NO FORCE ROW LEVEL SECURITY'))
    try:
        with pytest.raises(OperatorError, match='"Invoice of": the database does not keep tenants'):
            await require_isolation(engine, Base.metadata)
    finally:
        async with owner.begin() as connection:
            await connection.execute(text('ALTER TABLE "Invoice of" FORCE ROW LEVEL SECURITY'))


async def test_migration_does_what_the_models_do(owner: Engine, engine: Engine) -> None:
    policies = text("SELECT tablename, policyname, qual, with_check FROM pg_policies")
    async with owner.begin() as connection:
        by_models = (await connection.execute(policies)).all()
        await connection.execute(text('DROP POLICY tenant ON "Invoice of"'))
        for statement in isolation_sql("Invoice of"):
            await connection.execute(text(statement))
        by_migration = (await connection.execute(policies)).all()

    assert by_models == by_migration
    await require_isolation(engine, Base.metadata)
