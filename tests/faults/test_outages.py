"""PostgreSQL is away or unwilling, for every route of the service and for its tokens.

How outages end, the library proves (its own test_outages.py).
"""

import httpx2

from plumbline.testing.requests import operations, send
from plumbline_tests.faults.database import Database
from plumbline_tests.faults.service import Service
from plumbline_tests.faults.visits import until_unready
from tests.faults.writers import WRITERS, add_writers, signed_in
from tests.service import SERVICE


async def test_every_route_is_a_503_without_a_database_but_those_that_watch(
    database: Database, service: Service
) -> None:
    await database.stop()
    await until_unready(service)

    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as client:
        answers = [
            await send(client, request, signed_in(WRITERS[0]))
            for request, _ in operations(SERVICE.schemas)
        ]

    served = {answer.url.path for answer in answers if answer.status_code == 200}
    assert served == {"/livez", "/metrics"}
    assert {answer.status_code for answer in answers} == {200, 503}


async def test_use_of_a_token_that_cannot_be_noted_disturbs_nobody(
    database: Database, service: Service
) -> None:
    """The note is written after the answer, where an error has nobody to tell."""
    add_writers(database.url(), ["idler"])
    database.query(
        "UPDATE access_tokens SET last_used_at = now() - interval '1 hour'"
        " WHERE user_id = (SELECT id FROM users WHERE username = 'idler')"
    )
    await database.configure(default_transaction_read_only="on")
    wire = service.wire(signed_in("idler"))

    answers = [await wire.get("/api/v1/users/me") for _ in range(3)]

    wire.close()
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert wire.connections == 1
