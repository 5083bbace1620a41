"""Listening to a real MPD that plays ten times as fast: is every listen judged right?

A test that fails after a stall of the machine is run again (`tests/support/stalls.py`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from mutagen.flac import FLAC

from anagnorisisd.config import schema
from anagnorisisd.domain.play import Play, PlayOutcome
from anagnorisisd.domain.track import Uri
from anagnorisisd.events import PredictionsUpdated
from anagnorisisd.library import media_file
from anagnorisisd.storage.stores import Stores
from tests.support import mpd
from tests.support.library import track_id
from tests.support.long_headers import FORMATS, with_long_header
from tests.support.media import RATE, frame_size, retag
from tests.support.media import song as melody
from tests.support.services_with_mpd import MpdServices, mpd_services
from tests.support.stalls import StallMeter
from tests.support.until import until, until_async

SECONDS = 30.0
SONGS = ["a.wav", "b.wav", "c.wav", "d.wav"]
RAMPED = ["e.flac", "f.flac"]
RAMPS = {"MIXRAMP_START": "-50.0 0.0;0.0 4.0;", "MIXRAMP_END": "-50.0 0.0;0.0 4.0;"}
"""Loudness in dB and seconds from start or end: MPD lets two such songs overlap for a while."""

LISTENING = schema.Listening(browsing_seconds=0.5)
NO_PICKS = schema.Picks(enabled=False)

stalls = StallMeter()

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.flaky(reruns=5, condition="stalls.occurred()"),
]


@pytest.fixture(autouse=True)
async def watched_for_stalls() -> AsyncIterator[None]:
    async with stalls.watching():
        yield


def write_ramped(path: Path) -> None:
    """Write a song with the tags of MixRamp."""
    soundfile.write(path, np.sin(np.arange(int(SECONDS * 8_000)) / 20) / 4, 8_000)
    tags = FLAC(path)  # type: ignore[no-untyped-call]
    tags.update(RAMPS)  # type: ignore[no-untyped-call]
    tags.save()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mpd.Mpd]:
    output = mpd.PACED.format(rate=mpd.RATE)
    folder = tmp_path_factory.mktemp("judging")
    # Decoders differ in what they take the length of an mp3 for.
    extra = 'decoder {\n  plugin "mad"\n  enabled "no"\n}'
    with mpd.running(folder, SONGS, seconds=SECONDS, output=output, extra=extra) as running:
        mpd.write_songs(running.music, ["short.wav"], seconds=2.0)
        for name in RAMPED:
            write_ramped(running.music / name)
        running.mpc("update", "--wait")
        yield running


@pytest.fixture
def server(shared: mpd.Mpd) -> mpd.Mpd:
    shared.mpc("clear")
    for mode in ("random", "repeat", "single", "consume"):
        shared.mpc(mode, "off")
    shared.mpc("crossfade", "0")
    shared.mpc("mixrampdelay", "-1")
    return shared


@pytest.fixture
async def listener(server: mpd.Mpd, stores: Stores) -> AsyncIterator[MpdServices]:
    async with attended(server, stores) as listening:
        yield listening


def attended(server: mpd.Mpd, stores: Stores) -> AbstractAsyncContextManager[MpdServices]:
    return mpd_services(
        server, stores, picks=NO_PICKS, listening=LISTENING, rate=mpd.RATE, seconds=SECONDS
    )


async def begun(listener: MpdServices, *songs: str, at: int = 1) -> None:
    """Play these songs from the one at position `at`."""
    for song in songs:
        await listener.server.ask("add", song)
    await listener.server.send(f"play {at - 1}")
    await reached(listener, 0.1)


async def reached(listener: MpdServices, seconds: float) -> None:
    """Wait until the current song has come that far."""
    last = await listener.player.state()

    async def there() -> bool:
        nonlocal last
        state = await listener.player.state()
        stalls.note(state.span_seconds)
        moved = (state.elapsed_seconds or 0.0) - (last.elapsed_seconds or 0.0)
        if state.song_id == last.song_id and last.elapsed_seconds and moved >= 0:
            # Music that plays more slowly than it should: MPD or its output got no processor time.
            stalls.note(state.taken_at - last.taken_at - moved / mpd.RATE)
            last = state if moved else last
        else:
            last = state
        return (state.elapsed_seconds or 0.0) >= seconds

    await until_async(there)


async def plays_from(listener: MpdServices, count: int) -> list[Play]:
    """Wait for at least that many plays, and return them in order of time."""

    async def judged() -> bool:
        listener.events.publish(PredictionsUpdated(0))  # a reason to look
        return len(await listener.plays()) >= count

    await until_async(judged)
    return await listener.plays()


async def plays(listener: MpdServices, count: int) -> list[Play]:
    """Wait for that many plays and no more, and return them in order of time."""
    found = await plays_from(listener, count)
    assert len(found) == count
    return found


async def outcomes(listener: MpdServices, count: int) -> list[tuple[str, PlayOutcome]]:
    """Wait for that many plays, and return song and outcome of each."""
    names = {track_id(song): song.split(".")[0] for song in [*SONGS, *RAMPED, "short.wav"]}
    return [(names[play.track_id], play.outcome) for play in await plays(listener, count)]


def about(seconds: float) -> Any:
    """At this speed, a tenth of a second of waiting is a second of music."""
    return pytest.approx(seconds, abs=5.0)


async def test_songs_that_end_by_themselves_are_full_plays(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")

    first, last = await plays(listener, 2)

    assert (first.outcome, first.track_id) == (PlayOutcome.FULL, track_id("a.wav"))
    assert (last.outcome, last.track_id) == (PlayOutcome.FULL, track_id("b.wav"))
    assert first.heard_seconds == about(SECONDS)
    assert last.heard_seconds == about(SECONDS)


@pytest.mark.parametrize("command", ["next", "previous", "play 3"])
async def test_leaving_a_song_early_is_a_skip(listener: MpdServices, command: str) -> None:
    await begun(listener, *SONGS, at=2)
    await reached(listener, 8)

    await listener.server.send(command)

    assert await outcomes(listener, 1) == [("b", PlayOutcome.SKIP)]


async def test_song_left_at_once_or_late_is_neither_play_nor_skip(listener: MpdServices) -> None:
    await begun(listener, *SONGS)
    await listener.server.send("next")
    await reached(listener, 17)
    await listener.server.send("next")

    assert await outcomes(listener, 2) == [("a", PlayOutcome.NEITHER), ("b", PlayOutcome.NEITHER)]


async def test_the_last_song_left_by_next_is_a_skip(listener: MpdServices) -> None:
    await begun(listener, "a.wav")
    await reached(listener, 8)

    await listener.server.send("next")

    assert await outcomes(listener, 1) == [("a", PlayOutcome.SKIP)]


async def test_stopped_song_is_neither_play_nor_skip(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")
    await reached(listener, 8)

    await listener.server.send("stop")

    assert await outcomes(listener, 1) == [("a", PlayOutcome.NEITHER)]


async def test_a_pause_is_not_heard(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")
    await reached(listener, 8)
    await listener.server.send("pause 1")
    await asyncio.sleep(1.5)  # fifteen seconds of music that are not played
    await listener.server.send("pause 0")
    await listener.server.send("next")

    (play,) = await plays(listener, 1)

    assert (play.outcome, play.heard_seconds) == (PlayOutcome.SKIP, about(9))


async def test_seek_forward_does_not_count_as_heard(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")
    await listener.server.send("seekcur 22")
    await reached(listener, 23)
    await listener.server.send("next")

    (play,) = await plays(listener, 1)

    assert play.outcome is not PlayOutcome.FULL
    assert play.heard_seconds < 15


async def test_seek_back_counts_as_heard_twice(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")
    await reached(listener, 18)
    await listener.server.send("seekcur 0")
    await until_async(lambda: _came_below(listener, 16))
    await reached(listener, 12)
    await listener.server.send("next")

    (play,) = await plays(listener, 1)

    assert play.outcome is PlayOutcome.FULL
    assert play.heard_seconds == about(32)


async def _came_below(listener: MpdServices, seconds: float) -> bool:
    return ((await listener.player.state()).elapsed_seconds or 0.0) < seconds


async def test_a_song_repeated_is_played_each_time(listener: MpdServices) -> None:
    await listener.server.ask("repeat", "on")
    await listener.server.ask("single", "on")
    await begun(listener, "a.wav")

    assert await outcomes(listener, 2) == [("a", PlayOutcome.FULL)] * 2


@pytest.mark.parametrize("value", ["on", "once"])
async def test_single_stops_after_a_full_play(listener: MpdServices, value: str) -> None:
    await listener.server.ask("single", value)
    await begun(listener, "a.wav", "b.wav")

    assert await outcomes(listener, 1) == [("a", PlayOutcome.FULL)]


async def test_consume_does_not_change_the_outcome(listener: MpdServices) -> None:
    await listener.server.ask("consume", "on")
    await begun(listener, "a.wav", "b.wav", "c.wav")
    await reached(listener, 8)
    await listener.server.send("next")

    assert await outcomes(listener, 2) == [("a", PlayOutcome.SKIP), ("b", PlayOutcome.FULL)]


async def test_crossfade_is_no_skip(listener: MpdServices) -> None:
    await listener.server.ask("crossfade", "5")
    await begun(listener, "a.wav", "b.wav")

    assert await outcomes(listener, 2) == [("a", PlayOutcome.FULL), ("b", PlayOutcome.FULL)]


async def test_mixramp_is_no_skip(listener: MpdServices) -> None:
    for setting in (("crossfade", "5"), ("mixrampdb", "0"), ("mixrampdelay", "0.5")):
        await listener.server.ask(*setting)
    began = time.monotonic()
    await begun(listener, *RAMPED)

    assert await outcomes(listener, 2) == [("e", PlayOutcome.FULL), ("f", PlayOutcome.FULL)]
    overlap = 2 * SECONDS - (time.monotonic() - began) * mpd.RATE
    print(f"about {overlap:.1f} s of overlap")


async def test_removed_current_song_is_neither_play_nor_skip(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")
    await reached(listener, 8)

    await listener.server.send("delete 0")

    assert await outcomes(listener, 1) == [("a", PlayOutcome.NEITHER)]


async def test_cleared_queue_is_neither_play_nor_skip(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")
    await reached(listener, 8)

    await listener.server.send("clear")

    assert await outcomes(listener, 1) == [("a", PlayOutcome.NEITHER)]


async def test_replaced_queue_is_neither_play_nor_skip(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")
    await reached(listener, 8)

    await listener.server.send("clear")
    await begun(listener, "c.wav")

    assert (await outcomes(listener, 2))[0] == ("a", PlayOutcome.NEITHER)


async def test_a_file_that_cannot_be_played_is_no_skip(listener: MpdServices) -> None:
    gone = listener.server.music / "d.wav"
    content = gone.read_bytes()
    gone.unlink()  # MPD does not know yet
    await begun(listener, "a.wav", "d.wav", "b.wav")
    await listener.server.send("seekcur 27")

    first = (await plays_from(listener, 1))[0]
    gone.write_bytes(content)
    await listener.server.send("clear")
    await listener.looked()

    assert (first.track_id, first.outcome) == (track_id("a.wav"), PlayOutcome.FULL)
    assert PlayOutcome.SKIP not in {play.outcome for play in await listener.plays()}


async def test_a_very_short_track_is_played_in_full(listener: MpdServices) -> None:
    await begun(listener, "short.wav", "a.wav")

    assert (await outcomes(listener, 1))[0] == ("short", PlayOutcome.FULL)


async def test_browsing_is_no_skipping(server: mpd.Mpd, stores: Stores) -> None:
    browsing = schema.Listening(browsing_seconds=5.0)
    async with mpd_services(
        server, stores, picks=NO_PICKS, listening=browsing, rate=mpd.RATE, seconds=SECONDS
    ) as listener:
        await begun(listener, *SONGS)
        for _ in range(3):
            await reached(listener, 6)
            await server.send("next")
            await until_async(lambda: _came_below(listener, 5))
        await reached(listener, 3)
        await server.send("stop")  # whatever else happens ends a burst

        assert await outcomes(listener, 4) == [
            ("a", PlayOutcome.NEITHER),
            ("b", PlayOutcome.NEITHER),
            ("c", PlayOutcome.SKIP),
            ("d", PlayOutcome.NEITHER),
        ]


async def test_song_outside_the_library_is_ignored(listener: MpdServices) -> None:
    stranger = listener.server.music / "stranger.wav"
    mpd.write_songs(stranger.parent, [stranger.name], seconds=2.0)
    await listener.server.ask("update", "--wait")

    await begun(listener, "stranger.wav", "a.wav")
    found = await outcomes(listener, 1)
    stranger.unlink()

    assert found == [("a", PlayOutcome.FULL)]


async def test_a_daemon_started_in_the_middle_of_a_song_judges_it_once(
    server: mpd.Mpd, stores: Stores
) -> None:
    async with attended(server, stores) as listener:
        await begun(listener, "a.wav", "b.wav")
        await reached(listener, 8)
    async with attended(server, stores) as listener:
        assert await outcomes(listener, 2) == [("a", PlayOutcome.FULL), ("b", PlayOutcome.FULL)]


async def test_a_killed_mpd_is_no_skip(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")
    await reached(listener, 8)
    listener.server.kill()
    await until(lambda: not listener.player.link().connected)

    await asyncio.to_thread(listener.server.start)

    assert await outcomes(listener, 1) == [("a", PlayOutcome.NEITHER)]


async def test_play_continues_after_an_mpd_restart(listener: MpdServices) -> None:
    await begun(listener, "a.wav", "b.wav")
    await reached(listener, 8)
    await asyncio.to_thread(listener.server.stop)
    await until(lambda: not listener.player.link().connected)

    await asyncio.to_thread(listener.server.start)

    assert await outcomes(listener, 2) == [("a", PlayOutcome.FULL), ("b", PlayOutcome.FULL)]


async def test_a_song_that_mpd_takes_for_longer_than_it_is_ends_by_itself(
    server: mpd.Mpd, stores: Stores
) -> None:
    song = server.music / "no-header.mp3"
    write_without_header(song, seconds=15.0)
    retag(song, "No header", cover=True)
    await server.ask("update", "--wait")
    file = media_file.read(str(song), Uri(song.name))
    assert file is not None
    assert file.duration_seconds == pytest.approx(15.0, abs=0.2)
    await stores.library.store_files([file], 0.0)
    async with attended(server, stores) as listener:
        await begun(listener, "no-header.mp3", "a.wav")
        state = await listener.player.state()
        assert state.duration_seconds is not None
        assert state.duration_seconds > 30, "MPD takes the cover for music"

        (play,) = await plays(listener, 1)

    assert play.outcome is PlayOutcome.FULL
    assert play.duration_seconds == file.duration_seconds


@pytest.mark.parametrize("extension", FORMATS)
async def test_a_song_whose_header_promises_too_much_is_played_in_full(
    extension: str, server: mpd.Mpd, stores: Stores
) -> None:
    song = server.music / f"long-header.{extension}"
    song.write_bytes(with_long_header(extension, 15.0))
    await server.ask("update", "--wait")
    file = media_file.read(str(song), Uri(song.name))
    assert file is not None
    await stores.library.store_files([file], 0.0)
    async with attended(server, stores) as listener:
        await begun(listener, song.name, "a.wav")

        (play,) = await plays(listener, 1)

    assert play.outcome is PlayOutcome.FULL
    assert play.heard_seconds == about(15)


def write_without_header(path: Path, seconds: float) -> None:
    """Write an mp3 of constant bit rate that does not say how long it is."""
    with av.open(str(path), "w", format="mp3", options={"write_xing": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.format = "s16p"
        size = frame_size(stream)
        samples = melody(seconds=seconds)
        for start in range(0, len(samples) - size + 1, size):
            part = samples[np.newaxis, start : start + size]
            frame = av.AudioFrame.from_ndarray(part, format="s16p", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
