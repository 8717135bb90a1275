"""Each test begins with empty tables, whichever refer to which."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from plumbline.testing.rows import StoredRows
from plumbline.testing.service import World
from plumbline_tests.testing.bookshop.conftest import ISBN
from plumbline_tests.testing.bookshop.models import Book, OrderLine


@pytest.mark.parametrize("time", [1, 2])
async def test_rows_that_refer_to_each_other_are_gone_before_the_next_test(
    db: AsyncSession, world: World, stored_rows: StoredRows, time: int
) -> None:
    line = OrderLine(isbn=world.path_params["isbn"])
    db.add(line)
    await db.flush()
    (await db.get_one(Book, ISBN)).last_order_id = line.id
    await db.commit()

    assert time
    assert [table for table, _ in stored_rows.all()] == ["shop.Order Lines", "shop.books"]
