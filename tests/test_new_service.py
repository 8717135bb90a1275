"""From nothing to a service of one's own, by the five commands of tests/new_service.py."""

from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.new_service import run, started


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_five_commands_make_a_service_that_passes_its_own_check(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    folder = tmp_path / "bookshop"
    folder.mkdir()

    with started(folder, free_port()) as service:
        books = service.books.json()
        posts = httpx2.get(f"http://127.0.0.1:{service.port}/api/v1/posts")

    assert len(service.seconds) == 5
    assert books["items"] == []
    assert posts.status_code == 404
    run("make check", folder)
