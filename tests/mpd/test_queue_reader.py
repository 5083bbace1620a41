"""The queue of a real MPD, read only where it changed: always what a full reading shows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from random import Random

import pytest

from anagnorisis.mpd_address import Address
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.mpd import queue_reader
from anagnorisisd.mpd.connection import Connection
from anagnorisisd.mpd.errors import CommandRefused
from anagnorisisd.mpd.queue_reader import QueueReader
from tests.support import mpd

pytestmark = pytest.mark.slow

SONGS = [f"{letter}.wav" for letter in "abcdefgh"]
Rows = list[tuple[int, str, int, int]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("queue"), SONGS, seconds=0.1) as running:
        lines = "".join(f"{SONGS[number % 8]}\n" for number in range(3000))
        (running.folder / "long.m3u").write_text(lines)
        yield running


@pytest.fixture
async def links(server: mpd.Mpd) -> AsyncIterator[tuple[Connection, Connection]]:
    """The reader's connection, and that of another client."""
    opened = [await Connection.open(Address(str(server.socket)), 20.0) for _ in range(2)]
    await opened[1].call("clear")
    yield opened[0], opened[1]
    for link in opened:
        link.close()


@pytest.fixture
def reader(links: tuple[Connection, Connection]) -> QueueReader:
    return QueueReader(links[0], Uri)


@pytest.fixture
def client(links: tuple[Connection, Connection]) -> Connection:
    return links[1]


async def shown(reader: QueueReader) -> Rows:
    """Return what the reader says."""
    found = await reader.read()
    return [(entry.song_id, entry.uri, entry.position, entry.priority) for entry in found]


async def full(client: Connection) -> Rows:
    """Return what MPD says."""
    rows = await client.rows("playlistinfo")
    return [(int(row["id"]), row["file"], int(row["pos"]), int(row.get("prio", 0))) for row in rows]


Change = Callable[[Connection, Random], Awaitable[object]]


def place(rng: Random) -> int:
    """Return a position, as clients choose them: often the first or a near one."""
    return rng.choice([0, 1, rng.randrange(8), rng.randrange(200)])


CHANGES: list[Change] = [
    lambda client, rng: client.call("addid", rng.choice(SONGS)),
    lambda client, rng: client.call("addid", rng.choice(SONGS), place(rng)),
    lambda client, rng: client.call("load", "long", f"0:{rng.choice([2, 5, 90])}"),
    lambda client, rng: client.call("delete", place(rng)),
    lambda client, rng: client.call("delete", f"{place(rng)}:"),
    lambda client, rng: client.call("move", place(rng), place(rng)),
    lambda client, rng: client.call("swap", place(rng), place(rng)),
    lambda client, rng: client.call("shuffle"),
    lambda client, rng: client.call("random", rng.randrange(2)),
    lambda client, rng: client.call("clear") if rng.random() < 0.1 else client.call("ping"),
]


async def prioritise(client: Connection, rng: Random) -> None:
    """Give an entry a priority."""
    with suppress(CommandRefused):
        await client.call("prio", rng.randrange(256), place(rng))


async def change(client: Connection, rng: Random) -> None:
    """Do something to the queue; what is not possible is not done."""
    with suppress(CommandRefused):
        await rng.choice(CHANGES)(client, rng)


@pytest.mark.parametrize("seed", range(6))
async def test_any_changes_by_clients(reader: QueueReader, client: Connection, seed: int) -> None:
    rng = Random(seed)
    await client.call("load", "long", f"0:{rng.choice([3, 150, 1500])}")
    for _ in range(60):
        if rng.random() < 0.2:
            await prioritise(client, rng)
        else:
            for _ in range(rng.choice([1, 1, 3])):
                await change(client, rng)
        assert await shown(reader) == await full(client)


@pytest.mark.parametrize("seed", range(3))
async def test_changes_while_the_queue_is_read(
    reader: QueueReader, client: Connection, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_reader, "PAGE_SIZE", 50)
    monkeypatch.setattr(queue_reader, "POSITIONS_PAGE_SIZE", 70)
    rng = Random(seed)
    await client.call("load", "long", "0:300")

    async def meddle() -> None:
        for _ in range(300):
            await change(client, rng)
            await asyncio.sleep(0)

    meddling = asyncio.create_task(meddle())
    seen = 0
    while not meddling.done():
        try:
            entries = await reader.read()
        except PlayerUnavailable:  # it changes faster than it can be read
            continue
        seen += 1
        assert [entry.position for entry in entries] == list(range(len(entries)))
        assert len({entry.song_id for entry in entries}) == len(entries)
    await meddling

    assert seen
    wanted = await full(client)
    assert [row[:3] for row in await shown(reader)] == [row[:3] for row in wanted]


async def test_concurrent_reads(reader: QueueReader, client: Connection) -> None:
    await client.call("load", "long")

    found = await asyncio.gather(*(reader.read() for _ in range(5)))

    assert all(each is found[0] for each in found)


class Counting:
    """A connection that counts the lines of what it reads of songs."""

    def __init__(self, link: Connection) -> None:
        self._link = link
        self.songs = 0

    async def call(self, command: str, *args: object) -> object:
        """Pass a command on."""
        return await self._link.call(command, *args)

    async def rows(self, command: str, *args: object) -> list[dict[str, object]]:
        """Pass a command on, and count what comes back."""
        rows = await self._link.rows(command, *args)
        self.songs += len(rows)
        return rows


@pytest.mark.parametrize(
    "doing",
    [("addid", "a.wav"), ("delete", 2999), ("prio", 7, 1500), ("swap", 10, 2900), ("delete", 0),
     ("move", 0, 2999), ("shuffle",)],
    ids=str,
)  # fmt: skip
async def test_one_change_in_a_long_queue_reads_few_entries(
    links: tuple[Connection, Connection], client: Connection, doing: tuple[str, object]
) -> None:
    counting = Counting(links[0])
    reader = QueueReader(counting, Uri)  # type: ignore[arg-type]
    await client.call("load", "long")
    await reader.read()
    assert counting.songs == 3000
    counting.songs = 0

    command, *arguments = doing
    await client.call(command, *arguments)

    assert await shown(reader) == await full(client)
    assert counting.songs <= queue_reader.MAX_CHANGES_READ
