"""The queue manager with a real MPD: picks never interfere with what the listener does."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mutagen.flac import FLAC

from anagnorisisd.clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.console.snapshot_source import SnapshotSource
from anagnorisisd.domain.embedding import EmbeddingProgress
from anagnorisisd.domain.evaluator import TrainingStatus
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.events import LibraryChanged, NoPicksReasonChanged
from anagnorisisd.library.change_importer import ScanProgress
from anagnorisisd.storage.stores import Stores
from tests.support import mpd
from tests.support.library import STAMP, scanned, track_id
from tests.support.media import write_song
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.until import until, until_async

pytestmark = pytest.mark.slow

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
async def listener(server: mpd.Mpd, stores: Stores) -> AsyncIterator[MpdServices]:
    async with mpd_services(server, stores) as opened:
        yield opened


async def test_three_picks_follow_the_current_song(listener: MpdServices) -> None:
    listener.server.mpc("add", "a.wav")
    listener.server.mpc("play")

    queue = await listener.queue_of(4)

    assert queue[0] == "a.wav"
    assert len(set(queue)) == 4


async def test_an_empty_queue_stays_empty(listener: MpdServices) -> None:
    await listener.looked()

    assert listener.queue() == []


async def test_fill_empty_queue_does_not_start_playback(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores, picks=schema.Picks(fill_empty_queue=True)) as listener:
        await listener.queue_of(3)

        assert "playing" not in server.mpc("status")


async def test_start_playback(server: mpd.Mpd, stores: Stores) -> None:
    picks = schema.Picks(fill_empty_queue=True, start_playback=True)
    async with mpd_services(server, stores, picks=picks) as listener:
        await listener.queue_of(4)  # one plays, three are ahead

        assert "playing" in server.mpc("status")


async def started(listener: MpdServices, *songs: str) -> list[str]:
    """Play these songs, wait for three picks behind them, and return the queue."""
    for song in songs:
        listener.server.mpc("add", song)
    listener.server.mpc("play", "1")
    return await listener.queue_of(len(songs) + 3)


async def test_next_adds_one_pick(listener: MpdServices) -> None:
    before = await started(listener, "a.wav")

    listener.server.mpc("next")
    after = await listener.queue_of(5)

    assert after[:4] == before


async def test_all_tracks_were_played(listener: MpdServices) -> None:
    listener.server.mpc("add", *SONGS)
    listener.server.mpc("play", str(len(SONGS) - 1))

    queue = await listener.queue_of(len(SONGS) + 3)

    again = set(queue[len(SONGS) :])
    assert len(again) == 3
    assert SONGS[-1] not in again, "what plays is not what follows"


async def test_picks_jumped_over_are_replaced(listener: MpdServices) -> None:
    before = await started(listener, "a.wav")

    listener.server.mpc("play", "4")
    after = await listener.queue_of(7)

    assert after[:4] == before


@pytest.mark.parametrize("mode", [("single", "on"), ("single", "once"), ("repeat", "on")])
async def test_single_and_repeat_add_nothing(
    server: mpd.Mpd, stores: Stores, mode: tuple[str, str]
) -> None:
    server.mpc(*mode)
    async with mpd_services(server, stores) as listener:
        server.mpc("add", "a.wav")
        server.mpc("play")
        await listener.looked()
        assert listener.queue() == ["a.wav"]

        server.mpc(mode[0], "off")

        await listener.queue_of(4)


async def test_random_mode(listener: MpdServices) -> None:
    listener.server.mpc("random", "on")
    await started(listener, "a.wav", "b.wav")

    listener.server.mpc("next")
    await listener.looked()

    assert 5 <= len(listener.queue()) <= 6  # one more if the next song was one of ours


async def test_consume_mode(listener: MpdServices) -> None:
    listener.server.mpc("consume", "on")
    before = await started(listener, "a.wav")

    listener.server.mpc("next")
    await until(lambda: listener.queue()[:1] == before[1:2])
    after = await listener.queue_of(4)

    assert after[:3] == before[1:]


async def test_a_cleared_queue_stays_empty_until_playback(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores, picks=schema.Picks(fill_empty_queue=True)) as listener:
        await listener.queue_of(3)
        server.mpc("clear")
        await listener.looked()
        assert listener.queue() == []
        server.mpc("add", "a.wav")
        await listener.looked()
        assert listener.queue() == ["a.wav"]

        server.mpc("play")

        await listener.queue_of(4)


async def test_switching_picking_on_refills_a_cleared_queue(
    server: mpd.Mpd, stores: Stores
) -> None:
    async with mpd_services(server, stores, picks=schema.Picks(fill_empty_queue=True)) as listener:
        await listener.queue_of(3)
        server.mpc("clear")
        await until(lambda: listener.queue() == [])
        await listener.looked()

        await listener.picks.switch(True)

        await listener.queue_of(3)


async def test_the_switch_survives_a_restart(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores) as listener:
        await listener.picks.switch(False)
    async with mpd_services(server, stores) as listener:
        server.mpc("add", "a.wav")
        server.mpc("play")
        await listener.looked()
        assert listener.queue() == ["a.wav"]
        assert not listener.picks.enabled

        await listener.picks.switch(True)

        await listener.queue_of(4)


async def test_inserted_songs_keep_their_position(listener: MpdServices) -> None:
    before = await started(listener, "a.wav")
    own = [song for song in SONGS if song not in before][:2]

    for song in own:
        listener.server.mpc("insert", song)
    listener.server.mpc("move", "3", "5")
    await listener.looked()

    assert len(listener.queue()) == 6
    assert [song for song in listener.queue() if song in own] == list(reversed(own))


async def test_moved_and_shuffled_entries_keep_their_order(listener: MpdServices) -> None:
    await started(listener, "a.wav", "b.wav")
    listener.server.mpc("shuffle")
    listener.server.mpc("move", "5", "1")
    shuffled = listener.queue()
    await listener.ratings.rate(track_id("l.wav"), 10, source="test")

    await listener.looked()

    kept = listener.queue()
    assert [song for song in shuffled if song in kept] == kept[: len(shuffled)]
    assert {"a.wav", "b.wav"} <= set(kept)


async def test_a_loaded_playlist_is_kept(listener: MpdServices) -> None:
    (listener.server.folder / "mine.m3u").write_text("c.wav\nd.wav\n")
    await started(listener, "a.wav")

    listener.server.mpc("clear")
    listener.server.mpc("load", "mine")
    await listener.looked()
    assert listener.queue() == ["c.wav", "d.wav"]
    listener.server.mpc("play")

    assert (await listener.queue_of(5))[:2] == ["c.wav", "d.wav"]


async def test_owned_entries_survive_a_restart_of_the_daemon(
    server: mpd.Mpd, stores: Stores
) -> None:
    async with mpd_services(server, stores) as listener:
        before = await started(listener, "a.wav")
    async with mpd_services(server, stores) as listener:
        await listener.looked()

        assert listener.queue() == before
        assert [pick.track_id for pick in await listener.picks.ahead()] == [
            track_id(song) for song in before[1:]
        ]


async def test_owned_entries_survive_a_restart_of_mpd(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores) as listener:
        server.mpc("add", "a.wav")
        server.mpc("add", "b.wav")
        server.mpc("del", "1")  # so that numbers and positions differ
        server.mpc("play")
        before = await listener.queue_of(4)
        await asyncio.to_thread(server.stop)
        await until(lambda: not listener.player.link().connected)

        await asyncio.to_thread(server.start)
        await until(lambda: listener.player.link().connected)
        await listener.looked()

        assert listener.queue() == before
        assert len(await listener.picks.ahead()) == 3


async def test_a_disliked_pick_is_replaced(listener: MpdServices) -> None:
    for song in SONGS:
        await listener.stores.ratings.rate(track_id(song), 7, at=0.0, source="test")
    before = await started(listener, "a.wav")

    await listener.ratings.rate(track_id(before[2]), 0, source="test")
    await until(lambda: before[2] not in listener.queue())
    after = await listener.queue_of(4)

    assert after[:3] == [before[0], before[1], before[3]]


async def test_the_listeners_entries_are_never_replaced(listener: MpdServices) -> None:
    before = await started(listener, "a.wav", "b.wav")

    await listener.ratings.rate(track_id("b.wav"), 0, source="test")
    await listener.looked()

    assert listener.queue() == before


async def test_tracks_unknown_to_mpd_are_left_out(server: mpd.Mpd, stores: Stores) -> None:
    strangers = [f"stranger{number}.wav" for number in range(5)]
    await stores.library.store_files([scanned(uri) for uri in strangers], 0.0)
    for uri in strangers:
        await stores.ratings.rate(track_id(uri), 10, at=0.0, source="test")
    async with mpd_services(server, stores) as listener:
        queue = await started(listener, "a.wav")

        assert not set(queue) & set(strangers)


async def test_a_new_file_is_updated_in_mpd_and_picked(server: mpd.Mpd, stores: Stores) -> None:
    async with mpd_services(server, stores, picks=schema.Picks(enabled=False)) as listener:
        mpd.write_songs(server.music, ["late.wav"])
        try:
            await stores.library.store_files([scanned("late.wav")], 0.0)
            for song in SONGS:
                await stores.ratings.rate(track_id(song), 0, at=0.0, source="test")
            await stores.ratings.rate(track_id("late.wav"), 10, at=0.0, source="test")
            listener.events.publish(LibraryChanged())
            await listener.picks.switch(True)
            server.mpc("add", "a.wav")
            server.mpc("play")
            await listener.queue_of(4)
            await until(lambda: "late.wav" in server.mpc("listall"))

            async def follows_the_next_song() -> bool:
                server.mpc("next")  # MPD tells of the end of its update when it likes
                await listener.looked()
                return "late.wav" in listener.queue()

            await until_async(follows_the_next_song)
        finally:
            (server.music / "late.wav").unlink()
            server.mpc("update", "--wait")


@asynccontextmanager
async def small_queue(folder: Path, stores: Stores) -> AsyncIterator[MpdServices]:
    """A listener whose MPD holds six entries and logs every update of its database."""
    extra = 'max_playlist_length "6"\nlog_level "verbose"'
    with mpd.running(folder, SONGS, extra=extra) as server:
        async with mpd_services(server, stores) as listener:
            yield listener


def updates(server: mpd.Mpd) -> int:
    """Return how many updates of its database MPD has begun."""
    return (server.folder / "log").read_text(errors="replace").count("update: spawned thread")


async def test_a_full_queue_is_logged_once(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with small_queue(tmp_path, stores) as listener:
        before = updates(listener.server)
        listener.server.mpc("add", *SONGS[:6])
        listener.server.mpc("play")
        await until(lambda: listener.picks.reason is not None)
        for _ in range(3):
            await listener.looked()

        assert "max_playlist_length" in (listener.picks.reason or "")
        assert caplog.text.count("max_playlist_length") == 1
        assert listener.queue() == SONGS[:6]
        assert updates(listener.server) == before > 0

        listener.server.mpc("del", "6")
        listener.server.mpc("del", "5")
        await until(lambda: len(listener.queue()) == 6)
        assert listener.queue()[:4] == SONGS[:4]


async def test_played_picks_are_removed_from_a_full_queue(stores: Stores, tmp_path: Path) -> None:
    async with small_queue(tmp_path, stores) as listener:
        listener.server.mpc("add", "a.wav")
        listener.server.mpc("play")
        await listener.queue_of(4)
        for _ in range(6):
            current = listener.server.mpc("current", "-f", "%file%")
            listener.server.mpc("next")
            await until_async(partial(_three_are_ahead, listener))
            assert listener.server.mpc("current", "-f", "%file%") != current

        assert len(listener.queue()) == 6
        assert listener.queue()[0] == "a.wav"  # the listener's own is never taken away
        assert listener.picks.reason is None


async def _three_are_ahead(listener: MpdServices) -> bool:
    await listener.looked()
    return len(await listener.picks.ahead()) == 3


@pytest.mark.parametrize(
    ("doing", "undoing", "words"),
    [
        (["repeat", "on"], ["repeat", "off"], "repeat is on"),
        (["single", "on"], ["single", "off"], "single is on"),
        (["clear"], ["add", "b.wav"], "was cleared"),
    ],
    ids=["repeat", "single", "cleared"],
)
async def test_the_reason_for_no_picks_is_published(
    listener: MpdServices, doing: list[str], undoing: list[str], words: str
) -> None:
    listener.server.mpc("add", "a.wav")
    listener.server.mpc("play")
    await listener.queue_of(4)
    # The picks are in the queue a moment before the end of the reason for none is announced.
    await until(lambda: listener.picks.reason is None)
    with listener.events.subscribe() as announcements:
        listener.server.mpc(*doing)
        await until(lambda: words in (listener.picks.reason or ""))
        listener.server.mpc(*undoing)
        listener.server.mpc("play")
        await until(lambda: listener.picks.reason is None)
        told = [each.event for each in announcements.arrived()]

    reasons = [event.reason for event in told if isinstance(event, NoPicksReasonChanged)]
    assert words in reasons[0]
    assert reasons[-1] == ""


async def test_the_console_shows_the_reason(listener: MpdServices) -> None:
    stamp, progress = STAMP, EmbeddingProgress(0, 0, 0)
    parts = SimpleNamespace(progress=ScanProgress())
    embedding = SimpleNamespace(stamp=stamp, progress=partial(_returned, progress))
    status = TrainingStatus(None, 0, 20, training=False, last_training_at=None, next_training_at=0)
    feed = SnapshotSource(
        cast("Any", None),
        library=cast("Any", parts),
        embedding=cast("Any", embedding),
        training=cast("Any", SimpleNamespace(status=partial(_returned, status))),
        player=listener.player,
        picks=listener.picks,
        tracks=listener.stores.library,
        sound_tags=SoundTagIndex(listener.stores.embeddings, stamp, SystemClock()),
        clock=SystemClock(),
    )
    listener.server.mpc("add", "a.wav")
    listener.server.mpc("repeat", "on")
    await until(lambda: listener.picks.reason is not None)

    assert (await feed.snapshot()).no_picks == listener.picks.reason


async def _returned(value: object) -> object:
    return value


SIMA = """\
[MPD]
host = {socket}
[sima]
internal = Random, Crop
history_duration = 0
queue_length = 2
[crop]
consume = 1
[random]
flavour = pure
"""


@asynccontextmanager
async def sima(server: mpd.Mpd, folder: Path) -> AsyncIterator[None]:
    """Let mpd-sima fill and crop the queue, as it does for others."""
    config = folder / "sima.cfg"
    config.write_text(SIMA.format(socket=server.socket))
    process = await asyncio.create_subprocess_exec(
        "mpd-sima", "--config", str(config), "--var-dir", str(folder), cwd=folder
    )
    try:
        yield
        assert process.returncode is None
    finally:
        process.kill()
        await process.wait()


async def test_mpd_sima_beside_the_daemon(stores: Stores, tmp_path: Path) -> None:
    if shutil.which("mpd-sima") is None:
        pytest.skip("mpd-sima is not installed")
    for number in range(12):
        path = write_song(tmp_path / "music" / f"{number}.flac", number, seconds=20)
        tagged: Any = FLAC(path)  # type: ignore[no-untyped-call]
        tagged.update({"artist": f"Artist {number}", "album": "Album", "title": f"Song {number}"})
        tagged.save()
    picks = schema.Picks(enabled=False)
    with mpd.running(tmp_path) as server:
        async with mpd_services(server, stores, picks=picks) as listener, sima(server, tmp_path):
            server.mpc("add", "0.flac")
            server.mpc("play")
            await until(lambda: len(listener.queue()) >= 3)  # sima adds to any queue
            await listener.picks.switch(True)
            for _ in range(5):
                await until_async(lambda: _has_picks(listener, 3))
                server.mpc("next")
                await listener.looked()

            await until_async(lambda: _has_picks(listener, 3))
            assert len(listener.queue()) <= 12  # the two do not drive each other up


async def _has_picks(listener: MpdServices, count: int) -> bool:
    return len(await listener.picks.ahead()) >= count
