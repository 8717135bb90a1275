"""Turns: first come, first served, and none is lost."""

import asyncio

import pytest

from plumbline.db.turns import Turns


async def test_turn_that_comes_to_who_gives_up_goes_on() -> None:
    turns = Turns(1)
    assert turns.take()
    late = asyncio.create_task(turns.wait())
    await asyncio.sleep(0)

    turns.give_back()
    late.cancel()

    with pytest.raises(asyncio.CancelledError):
        await late
    assert turns.take()
    assert not turns.take()


async def test_those_who_wait_are_served_in_their_order() -> None:
    turns, order = Turns(2), list[int]()

    async def wait(number: int) -> None:
        await turns.wait()
        order.append(number)

    assert turns.take()
    assert turns.take()
    waiting = [asyncio.create_task(wait(number)) for number in range(4)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    for _ in range(3):
        turns.give_back()
    await asyncio.wait(waiting)

    assert order == [0, 2, 3]
    assert not turns.take()


async def test_turns_are_refused_to_those_who_wait_and_none_is_lost() -> None:
    turns = Turns(1)
    assert turns.take()
    waiting = [asyncio.create_task(turns.wait()) for _ in range(2)]
    await asyncio.sleep(0)

    turns.refuse(ConnectionAbortedError)
    await asyncio.wait(waiting)

    assert [type(each.exception()) for each in waiting] == [ConnectionAbortedError] * 2
    assert not turns.take()
    turns.give_back()
    assert turns.take()
    assert not turns.take()
