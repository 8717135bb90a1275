"""A real browser for tests: the fixture `browser`, and pages of any origin."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.async_api import Browser, async_playwright

from plumbline.testing.server import serve
from plumbline_tests.chromium import find_chromium

ARGUMENTS = (
    "--no-sandbox",  # it needs rights that root, containers and users do not all have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # only what a test asks for
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests of a process; each test takes a context or a page of its own."""
    chromium = find_chromium()
    assert chromium, "there is no Chromium: make browser"
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium.path,
            args=ARGUMENTS,
            timeout=0,  # a busy machine is slow; pytest's own limit is the end
            env={**os.environ, **chromium.environment},
        )
        yield launched
        await launched.close()


@asynccontextmanager
async def serve_page(html: str) -> AsyncIterator[str]:
    """Serve one page, and give its origin: another port is another origin."""
    site = FastAPI(openapi_url=None)

    @site.get("/", response_class=HTMLResponse)
    async def page() -> str:
        return html

    async with serve(site) as address:
        yield address
