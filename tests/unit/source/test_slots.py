"""Who may send a request to an origin, and who has to wait."""

import asyncio

import pytest

from gateway.source.origin.slots import Slots, Ticket


async def taken(slots: Slots, *tickets: Ticket) -> list[bool]:
    """Which of the tickets get a slot at once."""
    now = asyncio.get_running_loop().time()
    found = []
    for ticket in tickets:
        try:
            await slots.take(ticket, now)
        except TimeoutError:
            found.append(False)
        else:
            found.append(True)
    return found


def unknown(*clients: str) -> list[Ticket]:
    """One unknown id for each client."""
    return [Ticket(known=False, client=client) for client in clients]


async def test_shares() -> None:
    """Of 16 slots, unknown ids get 8, and those of one client 2; known assets get all that is
    left."""
    slots = Slots(16)
    assert [True, True, False] == await taken(slots, *unknown("a", "a", "a"))
    assert [True] * 6 + [False] == await taken(slots, *unknown(*"bbccddee"[:6], "e"))
    known = [Ticket(known=True) for _ in range(9)]
    assert [True] * 8 + [False] == await taken(slots, *known)
    slots.give_back(known[0])
    assert [False, True] == await taken(slots, *unknown("e"), Ticket(known=True))


async def test_clients_without_an_address_have_no_share_of_their_own() -> None:
    """They share what all unknown ids may use."""
    assert [True] * 8 + [False] == await taken(Slots(16), *unknown(*[""] * 9))


@pytest.mark.parametrize("total", [1, 2, 3])
async def test_few_slots(total: int) -> None:
    """Everybody gets one."""
    slots = Slots(total)
    [ticket] = unknown("a")
    assert [True] == await taken(slots, ticket)
    slots.give_back(ticket)
    assert [True] == await taken(slots, Ticket(known=True))


async def test_who_waits_is_served_when_a_slot_is_free() -> None:
    """In their order, except for those whose share is used up; one who left takes none."""
    slots = Slots(8)
    first, *rest = unknown("a", "a", "a", "b")
    loop = asyncio.get_running_loop()
    await slots.take(first, loop.time())
    waiting = [asyncio.create_task(slots.take(ticket, loop.time() + 5)) for ticket in rest]
    await asyncio.sleep(0)
    await waiting[2]
    waiting[0].cancel()
    await asyncio.sleep(0)
    slots.give_back(first)
    await waiting[1]
    assert [False] == await taken(slots, *unknown("a"))
    for ticket in rest[1:]:
        slots.give_back(ticket)
    assert [True] == await taken(slots, *unknown("a"))


async def test_another_client_lends_its_share() -> None:
    """What two clients ask for waits for neither's share alone."""
    slots = Slots(8)
    first, second = unknown("a", "a")
    loop = asyncio.get_running_loop()
    await slots.take(first, loop.time())
    waiting = asyncio.create_task(slots.take(second, loop.time() + 5))
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.join(second, "b")
    await waiting
    assert [False] == await taken(slots, *unknown("b"))
    slots.give_back(second)
    assert [True] == await taken(slots, *unknown("b"))
