<%
one, many, cls = names.one, names.many, names.class_name
user = "user: CurrentUser, " if owner else ""
by = "user, " if owner else ""
write, change = {"owner": ("SIGNED_IN", "OWNER"), "public": ("SIGNED_IN",) * 2, "admin": ("ADMIN",) * 2}[access]
yours = "your own" if owner else "a"
%>\
"""${names.words[1].capitalize()}: `/${many}`."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Response
from pydantic import Field

from ${package}.api.access import ADMIN, ANONYMOUS, OWNER, SIGNED_IN
from ${package}.api.deps import CurrentUser, Db, ReadDb
from ${package}.db.models.${one} import ${", ".join([cls, *(name for name, _ in enums)])}
from ${package}.services import ${many}
from plumbline.http.listing import Listing, ListRequest
from plumbline.http.pagination import Page, PageView
from plumbline.http.resources import BigInt, Id, Ids, JsonObject, Line, Patch, created, tagged
from plumbline.http.routing import IfMatch, OptionalIfMatch, PathId, Payload, View, resource
from plumbline.text import OneLine, PlainText

router = resource("${many}")
<% chosen = ", ".join(f"{cls}.{name}" for name in filters) %>\
${names.constant} = Listing(${", ".join(f"{cls}.{name}" for name in ["id", *sorts])}, default="-id"${f", filters=[{chosen}]" if filters else ""})


class ${cls}Create(Payload):
% for each in given:
    ${each.attribute}: ${each.in_request}
% endfor
% for link in links:
    ${link.ids}: Ids
% endfor


class ${cls}Update(Patch, ${cls}Create):
    """Fields that are absent stay as they are."""


class ${cls}Read(View):
    id: int
% for each in columns:
    ${each.attribute}: ${each.in_answer}
% endfor
% for link in links:
    ${link.ids}: list[int]
% endfor
    version: int
    created_at: datetime
    updated_at: datetime | None


class ${cls}Page(PageView[${cls}Read]): ...


@router.get("", response_model=${cls}Page, dependencies=[ANONYMOUS])
async def list_${many}(db: ReadDb, asked: Annotated[ListRequest, Depends(${names.constant})]) -> Page[${cls}]:
    """${names.words[1].capitalize()}, newest first if not asked otherwise."""
    return await asked.page(db, ${many}.select_${many}())


@router.post("", status_code=201, response_model=${cls}Read, dependencies=[${write}])
async def create_${one}(db: Db, ${user}body: ${cls}Create, response: Response) -> ${cls}:
    """Add ${names.with_article}."""
    ${one} = await ${many}.create_${one}(db, ${by}body.model_dump())
    return created(response, router, ${one})


@router.get("/{${one}_id}", response_model=${cls}Read, dependencies=[ANONYMOUS])
async def get_${one}(db: ReadDb, ${one}_id: PathId, response: Response) -> ${cls}:
    """One ${names.words[0]}."""
    return tagged(response, await ${many}.get_${one}(db, ${one}_id))


@router.patch("/{${one}_id}", response_model=${cls}Read, dependencies=[${change}])
async def update_${one}(db: Db, ${user}${one}_id: PathId, check_version: IfMatch, body: ${cls}Update, response: Response) -> ${cls}:
    """Change ${"your own " + names.words[0] if owner else names.with_article}."""
    ${one} = await ${many}.update_${one}(db, ${one}_id, ${by}check_version, body.changes())
    return tagged(response, ${one})


@router.delete("/{${one}_id}", status_code=204, dependencies=[${change}])
async def delete_${one}(db: Db, ${user}${one}_id: PathId, check_version: OptionalIfMatch) -> None:
    """Delete ${"your own " + names.words[0] if owner else names.with_article}."""
    await ${many}.delete_${one}(db, ${one}_id, ${by}check_version)
