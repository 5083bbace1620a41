"""CPU time of the daemon for a change in MPD's queue, by length of the queue.

Another client changes the queue of a real MPD. After each change the daemon reads state and queue,
checks which song has ended, and checks its picks.
"""

import asyncio
import contextlib
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from anagnorisis.mpd_address import Address
from anagnorisisd.clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.events import Events
from anagnorisisd.listening.service import PlayService
from anagnorisisd.mpd.connection import Connection
from anagnorisisd.mpd.player import MpdPlayer
from anagnorisisd.picks.service import PickService
from anagnorisisd.storage.stores import Stores, open_stores
from tests.support import mpd
from tests.support.library import scanned
from tests.support.until import until

LENGTHS, FULL_LENGTHS = (100, 10_000), (100, 1_000, 10_000)
RUNS, FULL_RUNS = 9, 31
SONGS = [f"{number}.wav" for number in range(50)]
COLUMNS = ("entries", "first read, ms", "append, ms", "remove near the end, ms",
           "set priority, ms", "next song, ms", "remove the first, ms")  # fmt: skip


def run(full: bool) -> None:
    """Print a row for each length."""
    print("# Queue\n\n## A change in MPD's queue, median CPU time\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for length in FULL_LENGTHS if full else LENGTHS:
        asyncio.run(_measure(length, FULL_RUNS if full else RUNS))
    print()


async def _measure(length: int, turns: int) -> None:
    with (
        tempfile.TemporaryDirectory() as scratch,
        mpd.running(Path(scratch), SONGS, seconds=30.0) as server,
    ):
        lines = "".join(f"{SONGS[number % len(SONGS)]}\n" for number in range(length))
        (server.folder / "long.m3u").write_text(lines)
        client = await Connection.open(Address(str(server.socket)), 60.0)
        await client.call("load", "long")
        await client.call("play", length // 2)
        stores = await open_stores(Path(scratch) / "state")
        try:
            await stores.library.store_files([scanned(uri) for uri in SONGS], 0.0)
            await _row(server, client, stores, length, turns)
        finally:
            client.close()
            await stores.close()


async def _row(
    server: mpd.Mpd, client: Connection, stores: Stores, length: int, turns: int
) -> None:
    clock = SystemClock()
    events = Events(clock)
    config = schema.Mpd(address=str(server.socket), timeout_seconds=60)
    player = MpdPlayer(config, server.music, "", clock)
    watching = asyncio.create_task(_watch(player))
    await until(lambda: player.link().connected)
    listening = PlayService(stores.library, stores.plays, events, clock, schema.Listening())
    picks = PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=player,
        events=events,
        clock=clock,
        config=schema.Picks(ahead=0),
        seed=1,
    )

    async def look() -> float:
        began = time.process_time()
        state = await player.state()
        await listening.observe(state, await player.queue(), announced=True)
        await picks.queue_manager.refill(state)
        return 1000 * (time.process_time() - began)

    async def after(*changes: Callable[[], Awaitable[object]]) -> float:
        taken = []
        for _ in range(turns):
            for change in changes:
                await change()
            taken.append(await look())
        return statistics.median(taken)

    last = length - 2
    priority = itertools.count(1)
    values = [
        await look(),
        await after(lambda: client.call("addid", SONGS[0])),
        await after(lambda: client.call("delete", last)),
        await after(lambda: client.call("prio", next(priority), last // 3)),
        await after(lambda: client.call("next")),
        await after(lambda: client.call("delete", 0)),
    ]
    print(f"| {length:,} | {' | '.join(f'{value:.1f}' for value in values)} |", flush=True)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


async def _watch(player: MpdPlayer) -> None:
    async for _ in player.changes():
        pass
