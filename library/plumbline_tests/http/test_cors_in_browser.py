"""A page of another origin uses the service, in Chromium."""

from typing import Any

import pytest
from playwright.async_api import Browser

from plumbline.testing.server import serve
from plumbline_tests.browser import serve_page
from plumbline_tests.sandbox.database import settings
from plumbline_tests.sandbox.service import create_app

# Each step is told with what the page could read of it.
PAGE = """<!doctype html><title>A page</title><script>
async function use(api) {
  const told = {};
  let me = {};
  async function ask(step, method, path, body, headers = {}) {
    const type = body instanceof URLSearchParams ? {} : {"Content-Type": "application/json"};
    const sent = body instanceof URLSearchParams ? body : body && JSON.stringify(body);
    const answer = await fetch(api + path, {
      method, body: sent, headers: {...(body ? type : {}), ...me, ...headers},
    });
    const text = await answer.text();
    const read = name => answer.headers.get(name);
    told[step] = {
      status: answer.status, etag: read("ETag"), location: read("Location"),
      link: read("Link"), retry: read("Retry-After"), id: read("X-Request-ID"),
    };
    return text ? JSON.parse(text) : null;
  }
  const key = {"Idempotency-Key": '"' + "a page's random key" + '"'};
  const book = {title: "Emma", content: "Words"};
  await ask("join", "POST", "/authors", {name: "ada", email: "ada@example.com"});
  me = {Authorization: "Bearer ada", "X-Request-ID": crypto.randomUUID?.() ?? ""};
  await ask("write", "POST", "/books", book, key);
  await ask("write again", "POST", "/books", book, key);
  await ask("send a form", "POST", "/books/form", new URLSearchParams(book));
  await ask("list", "GET", "/books?limit=1");
  const {location: at, etag: version} = told["write"];
  await ask("edit", "PATCH", at, {title: "Bye"}, {"If-Match": version});
  await ask("edit the old one", "PATCH", at, {title: "Bye"}, {"If-Match": version});
  await ask("read again", "GET", at, undefined, {"If-None-Match": '"7"'});
  await ask("delete", "DELETE", at);
  await ask("fail", "PATCH", at, {pages: 7}, {"If-Match": "*"});
  me = {};
  await ask("be nobody", "GET", "/me");
  return told;
}
</script>"""


async def test_page_of_another_origin_joins_writes_and_edits(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve_page(PAGE) as origin:
        monkeypatch.setattr(settings, "CORS_ORIGINS", origin)
        async with serve(create_app()) as address:
            page = await browser.new_page()
            await page.goto(origin)
            told: dict[str, dict[str, Any]] = await page.evaluate("api => use(api)", address)
            await page.close()

    assert {step: answer["status"] for step, answer in told.items()} == {
        "join": 201,
        "write": 201,
        "write again": 201,
        "send a form": 200,
        "list": 200,
        "edit": 200,
        "edit the old one": 412,
        "read again": 200,
        "delete": 204,
        "fail": 422,
        "be nobody": 401,
    }
    assert told["write again"]["location"] == told["write"]["location"]
    assert told["edit"]["etag"] == '"2"'
    assert 'rel="next"' in told["list"]["link"]
    assert all(answer["id"] for answer in told.values())


async def test_page_of_any_other_origin_reads_nothing(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CORS_ORIGINS", "http://localhost:1")
    async with serve_page("<title>A stranger's page</title>") as origin, serve(create_app()) as api:
        page = await browser.new_page()
        await page.goto(origin)
        failure = await page.evaluate("api => fetch(api).catch(String)", f"{api}/books")
        await page.close()

    assert failure == "TypeError: Failed to fetch"
