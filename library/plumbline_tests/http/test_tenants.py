"""The service of the page on tenants, whose routes name no tenant, asked by two."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy import insert, text

from docs_src import tenants
from plumbline.db.engine import create_engine
from plumbline.http.exception_handlers import install_problems
from plumbline.testing.cluster import Cluster
from plumbline.testing.server import serve
from plumbline_tests.sandbox.database import settings

ROLE = "routes_of_tenants"
INVOICES = [{"id": number, "tenant_id": number % 2 + 1, "amount": 5} for number in range(1, 7)]


@pytest.fixture
async def client(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx2.AsyncClient]:
    url = postgres.create("routes_of_tenants", "sandbox_template")
    owner = create_engine(settings, url)
    async with owner.begin() as connection:
        await connection.run_sync(tenants.Invoice.__table__.create)  # type: ignore[attr-defined]
        await connection.execute(insert(tenants.Invoice), INVOICES)
        await connection.execute(text(f"CREATE ROLE {ROLE}"))
        await connection.execute(text(f"GRANT ALL ON invoices TO {ROLE}"))
    engine = create_engine(settings, url, role=ROLE)
    monkeypatch.setattr(tenants, "engine", engine)
    tenants.AsyncSessionFactory.configure(bind=engine)
    install_problems(tenants.app)
    async with serve(tenants.app) as address, httpx2.AsyncClient(base_url=address) as client:
        yield client
    async with owner.begin() as connection:
        await connection.execute(text(f"DROP OWNED BY {ROLE}"))
        await connection.execute(text(f"DROP ROLE {ROLE}"))
    await owner.dispose()
    postgres.drop("routes_of_tenants")


def _as(tenant: int) -> dict[str, str]:
    return {"Tenant": str(tenant)}


async def _ids(client: httpx2.AsyncClient, tenant: int) -> list[int]:
    answer = await client.get("/invoices", headers=_as(tenant))
    return [row["id"] for row in answer.json()]


async def test_each_tenant_sees_and_changes_its_own_rows_alone(client: httpx2.AsyncClient) -> None:
    assert [await _ids(client, tenant) for tenant in (1, 2, 3)] == [[2, 4, 6], [1, 3, 5], []]

    answers = {
        (tenant, invoice): (
            await client.put(f"/invoices/{invoice}?amount=9", headers=_as(tenant))
        ).status_code
        for tenant in (1, 2)
        for invoice in range(1, 7)
    }

    assert {who for who, status in answers.items() if status == 200} == {
        (row["tenant_id"], row["id"]) for row in INVOICES
    }
    assert set(answers.values()) == {200, 404}
