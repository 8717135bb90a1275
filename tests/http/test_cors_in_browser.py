"""A page of another origin uses the service from signing up to logging out, in Chromium."""

import pytest
from playwright.async_api import Browser

from app.core.config import settings
from app.main import create_app
from plumbline.testing.server import serve
from plumbline_tests.browser import browser, serve_page
from tests.people import PASSWORD

__all__ = ["browser"]

PAGE = """<!doctype html><title>A page</title><script>
async function use(api, password) {
  const told = [];
  let me = {};
  async function ask(method, path, body, headers = {}) {
    const isForm = body instanceof URLSearchParams;
    const type = body && !isForm ? {"Content-Type": "application/json"} : {};
    const answer = await fetch(api + path, {
      method, headers: {...type, ...me, ...headers},
      body: isForm ? body : body && JSON.stringify(body),
    });
    told.push([method, path.replace(/[0-9]+$/, "…"), answer.status]);
    return answer;
  }
  const name = {username: "ada", password};
  await ask("POST", "/api/v1/users", {...name, email: "ada@example.com"});
  await ask("POST", "/api/v1/users", {...name, email: "ada@example.com"});
  const login = await ask("POST", "/api/v1/auth/token", new URLSearchParams(name));
  me = {Authorization: "Bearer " + (await login.json()).access_token};
  const key = {"Idempotency-Key": '"a random key of this page"'};
  const post = await ask("POST", "/api/v1/posts", {title: "Hello", content: "World"}, key);
  const at = post.headers.get("Location"), version = post.headers.get("ETag");
  await ask("PATCH", at, {title: "Bye"}, {"If-Match": version});
  await ask("PATCH", at, {title: "Bye"}, {"If-Match": version});
  await ask("GET", "/api/v1/users/me");
  await ask("DELETE", "/api/v1/auth/token");
  await ask("GET", "/api/v1/users/me");
  return told;
}
</script>"""


async def test_page_of_another_origin_signs_up_logs_in_edits_and_logs_out(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve_page(PAGE) as origin:
        monkeypatch.setattr(settings, "CORS_ORIGINS", origin)
        async with serve(create_app()) as address:
            page = await browser.new_page()
            await page.goto(origin)
            told = await page.evaluate(
                "([api, password]) => use(api, password)", [address, PASSWORD]
            )
            await page.close()

    assert [tuple(step) for step in told] == [
        ("POST", "/api/v1/users", 201),
        ("POST", "/api/v1/users", 409),
        ("POST", "/api/v1/auth/token", 200),
        ("POST", "/api/v1/posts", 201),
        ("PATCH", "/api/v1/posts/…", 200),
        ("PATCH", "/api/v1/posts/…", 412),
        ("GET", "/api/v1/users/me", 200),
        ("DELETE", "/api/v1/auth/token", 204),
        ("GET", "/api/v1/users/me", 401),
    ]
