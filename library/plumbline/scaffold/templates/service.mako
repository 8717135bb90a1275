<% one, many = names.one, names.many %>\
"""${names.words[1].capitalize()}: ${rule}."""

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from ${package}.db.models import ${names.class_name}
from ${package}.services.callers import Caller, require_owner
from plumbline.db.rows import CheckVersion, Values, add_row, change_row, get_row, lock_row


def select_${many}() -> Select[${names.class_name}]:
    return select(${names.class_name})


% if owner:
async def create_${one}(db: AsyncSession, user: Caller, fields: Values) -> ${names.class_name}:
    return await add_row(db, ${names.class_name}(**fields, ${owner}=user.id))
% else:
async def create_${one}(db: AsyncSession, fields: Values) -> ${names.class_name}:
    return await add_row(db, ${names.class_name}(**fields))
% endif


async def get_${one}(db: AsyncSession, ${one}_id: int) -> ${names.class_name}:
    return await get_row(db, ${names.class_name}, ${one}_id)


async def update_${one}(
    db: AsyncSession, ${one}_id: int, ${"user: Caller, " if owner else ""}check_version: CheckVersion, changes: Values
) -> ${names.class_name}:
    ${one} = await lock_row(db, ${names.class_name}, ${one}_id)
% if owner:
    require_owner(user, ${one}.${owner})
% endif
    check_version(${one}.version)
    return await change_row(db, ${one}, changes)


async def delete_${one}(
    db: AsyncSession, ${one}_id: int, ${"user: Caller, " if owner else ""}check_version: CheckVersion
) -> None:
    ${one} = await lock_row(db, ${names.class_name}, ${one}_id)
% if owner:
    require_owner(user, ${one}.${owner})
% endif
    check_version(${one}.version)
    await db.delete(${one})
