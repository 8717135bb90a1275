<%
def known(name):
    """What the file calls a model: pytest would take a class for a test that is called `Test…`."""
    return f"_{name}" if name.startswith("Test") else name

def imported(name):
    return name if known(name) == name else f"{name} as {known(name)}"

one, many, cls = names.one, names.many, known(names.class_name)
who = "admin" if access == "admin" else "alice"
path = f"/api/v1/{many}"
made = f"{owner}={who}.id" if owner else ""
row = f"make_row({cls}{', ' + made if made else ''})"
person = f", {who}: User" if owner else ""
%>\
"""${names.words[1].capitalize()}: what is their own; tests/test_proofs.py tries what holds for every route."""

from typing import Any

import httpx2
import pytest

from ${package}.db.models import ${imported(names.class_name)}, User
% for name in sorted({model.class_name for _, model in references}):
from ${package}.db.models import ${imported(name)}
% endfor
from tests.people import make_row, signed_in


@pytest.fixture
% if references:
async def body() -> dict[str, Any]:
% else:
def body() -> dict[str, Any]:
% endif
    return {
% for each in given:
% if each.values:
        "${each.attribute}": ${each.values[0]},
% endif
% endfor
% for attribute, model in references:
% if attribute.endswith("_ids"):
        "${attribute}": [(await make_row(${known(model.class_name)})).id],
% else:
        "${attribute}": (await make_row(${known(model.class_name)})).id,
% endif
% endfor
    }


async def test_${one}_is_made_and_read(client: httpx2.AsyncClient, ${who}: User, body: dict[str, Any]) -> None:
    made = await client.post("${path}", json=body, headers=signed_in(${who}))
    read = await client.get(made.headers["Location"])

    assert made.status_code == 201, made.text
    assert made.json() == made.json() | body
    assert read.json() == made.json()
    assert read.headers["ETag"] == made.headers["ETag"]


% if changed:
async def test_${one}_is_changed(client: httpx2.AsyncClient, ${who}: User) -> None:
    ${one} = await ${row}
    headers = signed_in(${who}) | {"If-Match": '"1"'}
    changes: dict[str, Any] = {"${changed.attribute}": ${changed.values[1]}}

    answer = await client.patch(f"${path}/{${one}.id}", json=changes, headers=headers)

    assert answer.status_code == 200, answer.text
    assert answer.json()["${changed.attribute}"] == changes["${changed.attribute}"]
    assert answer.headers["ETag"] == '"2"'


% endif
async def test_${one}_is_deleted(client: httpx2.AsyncClient, ${who}: User) -> None:
    ${one} = await ${row}

    answer = await client.delete(f"${path}/{${one}.id}", headers=signed_in(${who}))

    assert answer.status_code == 204
    assert (await client.get(f"${path}/{${one}.id}")).status_code == 404


async def test_${many}_are_listed_newest_first(client: httpx2.AsyncClient${person}) -> None:
    rows = [await ${row} for _ in range(2)]

    page = (await client.get("${path}")).json()

    assert [each["id"] for each in page["items"]] == [each.id for each in reversed(rows)]
% if filters:


@pytest.mark.parametrize("name", ${list(filters)})
async def test_${many}_are_filtered(client: httpx2.AsyncClient, ${who}: User, body: dict[str, Any], name: str) -> None:
    made = await client.post("${path}", json=body, headers=signed_in(${who}))
    wanted = made.json()[name]

    page = (await client.get("${path}", params={name: wanted})).json()

    assert [each["id"] for each in page["items"]] == [made.json()["id"]]
% endif
% if sorts:


@pytest.mark.parametrize("name", ${list(sorts)})
async def test_${many}_are_sorted(client: httpx2.AsyncClient${person}, name: str) -> None:
    rows = {(await ${row}).id for _ in range(2)}

    up = (await client.get("${path}", params={"sort": name})).json()["items"]
    down = (await client.get("${path}", params={"sort": f"-{name}"})).json()["items"]

    assert {each["id"] for each in up} == rows
    assert [each["id"] for each in up] == [each["id"] for each in reversed(down)]
% endif
% if uniques:


async def test_${one}_that_is_there_already_is_a_conflict(client: httpx2.AsyncClient, ${who}: User, body: dict[str, Any]) -> None:
    await client.post("${path}", json=body, headers=signed_in(${who}))

    answer = await client.post("${path}", json=body, headers=signed_in(${who}))

    assert answer.status_code == 409
% if len(uniques) == 1:
    assert [error["field"] for error in answer.json()["errors"]] == ["${uniques[0]}"]
% else:
    assert {error["field"] for error in answer.json()["errors"]} <= ${"{" + ", ".join(f'"{each}"' for each in uniques) + "}"}
% endif
% endif
