"""The contract of `Player`, for the fake and for real MPDs: this system's and MPD 0.24."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from anagnorisisd.clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.domain.player import PlaybackState, Player, SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable
from anagnorisisd.listening.play_rules import Ending
from anagnorisisd.listening.playback_tracker import PlaybackTracker
from anagnorisisd.mpd.player import MpdPlayer
from tests.fakes.player import FakePlayer
from tests.support import mpd, trixie_mpd
from tests.support.until import until

pytestmark = pytest.mark.slow

SONGS = ("one.wav", "folder/two.wav", "folder/drei größer.wav")
ONE, TWO, THREE = map(Uri, SONGS)


@dataclass
class Subject:
    """A player under test, what it told, and the listener's means to send it a message."""

    player: Player
    send: Callable[[str], None]
    take_away: Callable[[], None]
    bring_back: Callable[[], None]
    set_random: Callable[[], None]
    told: list[frozenset[str]] = field(default_factory=list)

    async def heard(self, name: str) -> None:
        """Wait until a subsystem was named, and forget what was told so far."""
        await until(lambda: any(name in changed for changed in self.told))
        self.told.clear()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path_factory.mktemp("contract"), SONGS) as running:
        yield running


@pytest.fixture(scope="module")
def server_0_24(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    folder = tmp_path_factory.mktemp("contract")
    with mpd.running(folder, SONGS, program=trixie_mpd.command()) as running:
        assert "0.24" in running.mpc("version")
        yield running


@asynccontextmanager
async def watched(subject: Subject) -> AsyncIterator[Subject]:
    async def watch() -> None:
        async for changed in subject.player.changes():
            subject.told.append(changed)

    task = asyncio.create_task(watch())
    await subject.heard("connected")
    yield subject
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(params=["fake", "server", "server_0_24"])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param == "fake":
        fake = FakePlayer(SystemClock(), dict.fromkeys(SONGS, 20.0))
        told = Subject(
            fake, fake.send, fake.vanish, fake.come_back, lambda: fake.set_modes(random=True)
        )
        async with watched(told) as subject:
            yield subject
        return
    server: mpd.Mpd = request.getfixturevalue(request.param)
    server.mpc("clear")
    config = schema.Mpd(address=str(server.socket), timeout_seconds=5)
    real = MpdPlayer(config, server.music, "anagnorisis", SystemClock())

    def send(message: str) -> None:
        server.mpc("sendmessage", "anagnorisis", message)

    def set_random() -> None:
        server.mpc("random", "on")

    told = Subject(real, send, server.kill, server.start, set_random)
    async with watched(told) as subject:
        yield subject
    server.mpc("random", "off")


@pytest.fixture
def player(subject: Subject) -> Player:
    return subject.player


async def test_initial_state(player: Player) -> None:
    state = await player.state()

    assert (state.playback_state, state.song_id, state.uri, state.elapsed_seconds) == (
        PlaybackState.STOP,
        None,
        None,
        None,
    )
    assert list(await player.queue()) == []
    assert player.link().connected


async def test_enqueue_appends(player: Player) -> None:
    ids = [await player.enqueue(uri) for uri in (ONE, THREE, ONE)]

    queue = await player.queue()

    assert [(entry.song_id, entry.uri, entry.position) for entry in queue] == [
        (ids[0], ONE, 0),
        (ids[1], THREE, 1),
        (ids[2], ONE, 2),
    ]
    assert (await player.state()).queue_length == 3


async def test_state_while_playing(player: Player) -> None:
    song_id = await player.enqueue(TWO)

    await player.play()
    state = await player.state()

    assert (state.playback_state, state.song_id, state.uri, state.position) == (
        PlaybackState.PLAY,
        song_id,
        TWO,
        0,
    )
    assert state.duration_seconds == pytest.approx(20, abs=0.1)
    assert state.elapsed_seconds is not None
    assert 0 <= state.elapsed_seconds < 10


class BusyClock(SystemClock):
    """The clock of a busy computer: whoever asks for the time waits for the processor first."""

    waits_seconds = 0.0

    def monotonic(self) -> float:
        """Return the time after the wait."""
        time.sleep(self.waits_seconds)
        return super().monotonic()


async def test_a_natural_end_after_a_late_time_stamp(server: mpd.Mpd) -> None:
    server.mpc("clear")
    config, clock = schema.Mpd(address=str(server.socket), timeout_seconds=5), BusyClock()
    player, tracker = MpdPlayer(config, server.music, "", clock), PlaybackTracker()
    async with watched(Subject(player, print, server.kill, server.start, print)) as subject:
        await player.enqueue(ONE)
        second = await player.enqueue(TWO)
        await player.play()
        await asyncio.to_thread(server.mpc, "seek", "0:17")
        clock.waits_seconds = 0.6
        tracker.observe(await player.state(), ())
        clock.waits_seconds = 0.0
        while (state := await player.state()).song_id != second:
            await subject.heard("player")
        stay = tracker.observe(state, ())

    assert stay is not None
    assert (stay.uri, stay.ending) == (ONE, Ending.NATURAL)


async def test_skip(
    player: Player,
) -> None:
    await player.enqueue(ONE)
    second = await player.enqueue(TWO)
    await player.play()

    await player.skip()
    after_one = await player.state()
    await player.skip()
    after_two = await player.state()

    assert (after_one.playback_state, after_one.song_id) == (PlaybackState.PLAY, second)
    assert (after_two.playback_state, after_two.song_id) == (PlaybackState.STOP, None)


async def test_previous(player: Player) -> None:
    first = await player.enqueue(ONE)
    second = await player.enqueue(TWO)
    await player.go_to(second)

    await player.previous()
    after_one = await player.state()
    await player.previous()
    after_two = await player.state()

    assert (after_one.playback_state, after_one.song_id) == (PlaybackState.PLAY, first)
    assert (after_two.playback_state, after_two.song_id) == (PlaybackState.PLAY, first)


async def test_no_song_is_left_while_stopped(player: Player) -> None:
    await player.enqueue(ONE)

    for leave in (player.skip, player.previous):
        with pytest.raises(PlayerRefused):
            await leave()

    assert (await player.state()).playback_state is PlaybackState.STOP


async def test_pause_and_resume(player: Player) -> None:
    await player.pause()
    stopped = await player.state()
    song_id = await player.enqueue(ONE)
    await player.play()
    for _ in range(2):
        await player.pause()
    paused = await player.state()
    for _ in range(2):
        await player.play()
    resumed = await player.state()

    assert stopped.playback_state is PlaybackState.STOP
    assert (paused.playback_state, paused.song_id) == (PlaybackState.PAUSE, song_id)
    assert (resumed.playback_state, resumed.song_id) == (PlaybackState.PLAY, song_id)


async def test_leaving_a_paused_song_plays_the_next(player: Player) -> None:
    await player.enqueue(ONE)
    second = await player.enqueue(TWO)
    await player.play()
    await player.pause()

    await player.skip()

    state = await player.state()
    assert (state.playback_state, state.song_id) == (PlaybackState.PLAY, second)


async def test_enqueue_next(player: Player) -> None:
    at_the_beginning = [await player.enqueue_next(uri) for uri in (TWO, ONE)]
    await player.play()
    after_the_current = [await player.enqueue_next(uri) for uri in (TWO, THREE)]

    queue = [(entry.song_id, entry.priority) for entry in await player.queue()]

    second, first = at_the_beginning
    fourth, third = after_the_current
    assert queue == [(first, 0), (third, 0), (fourth, 0), (second, 0)]
    with pytest.raises(PlayerRefused):
        await player.enqueue_next(Uri("missing.wav"))


async def test_enqueue_next_in_random_mode(subject: Subject) -> None:
    player = subject.player
    for uri in (ONE, TWO, ONE, TWO, ONE):
        await player.enqueue(uri)
    await player.play()
    subject.set_random()

    song_id = await player.enqueue_next(THREE)
    await player.skip()

    assert (await player.state()).song_id == song_id


async def test_enqueue_of_an_unknown_file_is_refused(player: Player) -> None:
    for uri in ("missing.wav", "not-utf8-\udcff.wav", "line\nbreak.wav"):
        with pytest.raises(PlayerRefused):
            await player.enqueue(Uri(uri))

    assert list(await player.queue()) == []
    assert not await player.has(Uri("missing.wav"))
    assert await player.has(THREE)


async def test_a_file_without_a_track_number(player: Player) -> None:
    assert await player.track_number(ONE) is None
    assert await player.track_number(Uri("missing.wav")) is None


async def test_removing_an_entry_twice(player: Player) -> None:
    song_id = await player.enqueue(ONE)
    kept = await player.enqueue(TWO)

    await player.remove(song_id)
    await player.remove(song_id)

    assert [entry.song_id for entry in await player.queue()] == [kept]


async def test_uri_of_an_entry(player: Player) -> None:
    song_id = await player.enqueue(THREE)

    assert await player.uri_of(song_id) == THREE
    assert await player.uri_of(SongId(987_654)) is None


async def test_stickers(player: Player) -> None:
    assert await player.stickers("rating") == {}

    await player.set_sticker(ONE, "rating", "8")
    await player.set_sticker(THREE, "rating", "a = b")
    await player.set_sticker(ONE, "like", "2")
    written = await player.stickers("rating")
    one_by_one = [await player.sticker(uri, "rating") for uri in (ONE, TWO, Uri("missing.wav"))]
    for uri in (ONE, THREE, TWO):
        await player.set_sticker(uri, "rating", None)
        await player.set_sticker(uri, "like", None)

    assert written == {ONE: "8", THREE: "a = b"}
    assert one_by_one == ["8", None, None]
    assert await player.stickers("rating") == {}


async def test_sticker_of_an_unknown_file_is_refused(player: Player) -> None:
    with pytest.raises(PlayerRefused):
        await player.set_sticker(Uri("missing.wav"), "rating", "8")


async def test_messages_are_read_once(subject: Subject) -> None:
    await asyncio.to_thread(subject.send, "rate 8")
    await asyncio.to_thread(subject.send, 'rate +1 größer: "x"')
    await subject.heard("message")

    assert list(await subject.player.messages()) == ["rate 8", 'rate +1 größer: "x"']
    assert list(await subject.player.messages()) == []


async def test_reply_without_listeners(player: Player) -> None:
    await player.reply("rated 8,\nwas nothing")


async def test_update_of_any_path(player: Player) -> None:
    for uri in (ONE, "folder", "missing.wav"):
        await player.update(Uri(uri))


async def test_changes_name_the_subsystem(subject: Subject) -> None:
    await subject.player.enqueue(ONE)
    await subject.heard("playlist")
    await subject.player.play()
    await subject.heard("player")
    await subject.player.set_sticker(ONE, "rating", "3")
    await subject.heard("sticker")
    await subject.player.set_sticker(ONE, "rating", None)


async def test_lost_connection_and_reconnect(subject: Subject) -> None:
    before = subject.player.link().session
    await asyncio.to_thread(subject.take_away)
    await subject.heard("lost")
    with pytest.raises(PlayerUnavailable):
        await subject.player.state()
    link = subject.player.link()

    await asyncio.to_thread(subject.bring_back)
    await subject.heard("connected")

    assert not link.connected
    assert link.reason
    assert subject.player.link().session > before
    assert (await subject.player.state()).playback_state is PlaybackState.STOP


async def test_songs_are_all_files_of_the_database(player: Player) -> None:
    found = {uri async for uris in player.songs() for uri in uris}

    assert found >= {ONE, TWO, THREE}
    assert "wav" in await player.formats()


async def test_metadata_of_all_songs_and_of_some(player: Player) -> None:
    stamps = dict([pair async for page in player.stamps() for pair in page])
    found = [song async for songs in player.metadata([TWO, Uri("none.wav")]) for song in songs]

    assert set(stamps) >= {ONE, TWO, THREE}
    assert {song.uri for song in found} == {TWO}
    assert found[0].stamp == stamps[TWO]
    assert found[0].duration_seconds == pytest.approx(20.0)
