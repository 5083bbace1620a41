"""Picks in the queue of a real MPD: never a surprise for the listener."""

from collections.abc import AsyncIterator, Iterator

import pytest

from anagnorisisd.adapters.sqlite.stores import Stores
from anagnorisisd.config import schema
from tests.support import mpd
from tests.support.listener import Room, room

SONGS = [f"{letter}.wav" for letter in "abcdefghijkl"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("manners"), SONGS) as running:
        yield running


@pytest.fixture
def server(shared: mpd.Mpd) -> mpd.Mpd:
    shared.mpc("clear")
    for mode in ("random", "repeat", "single", "consume"):
        shared.mpc(mode, "off")
    shared.mpc("crossfade", "0")
    return shared


@pytest.fixture
async def listener(server: mpd.Mpd, stores: Stores) -> AsyncIterator[Room]:
    async with room(server, stores) as opened:
        yield opened


async def test_three_picks_are_put_after_what_plays(listener: Room) -> None:
    listener.server.mpc("add", "a.wav")
    listener.server.mpc("play")

    queue = await listener.queue_of(4)

    assert queue[0] == "a.wav"
    assert len(set(queue)) == 4


async def test_an_empty_queue_is_left_empty(listener: Room) -> None:
    await listener.looked()

    assert listener.queue() == []


async def test_an_empty_queue_is_filled_where_that_is_wished_but_not_started(
    server: mpd.Mpd, stores: Stores
) -> None:
    async with room(server, stores, picks=schema.Picks(fill_empty_queue=True)) as listener:
        await listener.queue_of(3)

        assert "playing" not in server.mpc("status")


async def test_a_filled_queue_is_started_where_that_is_wished(
    server: mpd.Mpd, stores: Stores
) -> None:
    picks = schema.Picks(fill_empty_queue=True, start_playback=True)
    async with room(server, stores, picks=picks) as listener:
        await listener.queue_of(4)  # one plays, three are ahead

        assert "playing" in server.mpc("status")
