"""The service warns of the rights of its role when it is ready."""

import httpx2
import pytest

from app.core.config import settings
from plumbline.db import privileges


async def test_ready_service_tells_once_that_its_role_is_a_superuser(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", "production")

    for _ in range(2):
        await client.get("/readyz")

    told = [str(each.msg) for each in caplog.records if each.name == privileges.__name__]
    assert len(told) == 1
    assert "superuser" in told[0]
