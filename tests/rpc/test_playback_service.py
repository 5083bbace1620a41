"""Control of the player through the socket, and how it is judged."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from anagnorisis.v1 import daemon_pb2, playback_pb2
from anagnorisis.v1.track_pb2 import CurrentSong, Target
from anagnorisisd.config import schema
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.track import Uri
from anagnorisisd.listening.service import PlayService
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import EPOCH, add_tracks, scanned, track_id
from tests.support.rpc import House, Line, refused, serving

A, B = Target(uri="a.ogg"), Target(uri="b.ogg")
PLAY = playback_pb2.PLAYBACK_ACTION_PLAY
PAUSE = playback_pb2.PLAYBACK_ACTION_PAUSE
NEXT = playback_pb2.PLAYBACK_ACTION_NEXT
PREVIOUS = playback_pb2.PLAYBACK_ACTION_PREVIOUS


@pytest.fixture
def house(stores: Stores, clock: FakeClock, tmp_path: Path) -> House:
    return House.build(stores, clock, tmp_path)


@pytest.fixture
async def line(house: House, tmp_path: Path) -> AsyncIterator[Line]:
    await add_tracks(house.stores, "a.ogg", "b.ogg", "c.ogg")
    house.player.database = {Uri(uri): 180.0 for uri in ("a.ogg", "b.ogg", "c.ogg", "radio.ogg")}
    async with serving(house, tmp_path / "sock") as opened:
        yield opened


async def control(
    line: Line, action: "playback_pb2.PlaybackAction.ValueType"
) -> daemon_pb2.Playback:
    request = playback_pb2.ControlPlaybackRequest(action=action)
    return (await line.playback.ControlPlayback(request)).playback


async def queue(
    line: Line,
    target: Target,
    position: "playback_pb2.QueuePosition.ValueType" = playback_pb2.QUEUE_POSITION_UNSPECIFIED,
) -> int:
    request = playback_pb2.QueueTrackRequest(target=target, position=position)
    return (await line.playback.QueueTrack(request)).song_id


async def queued(house: House) -> list[str]:
    return [entry.uri for entry in await house.player.queue()]


async def test_every_action_answers_with_the_state_after_it(house: House, line: Line) -> None:
    house.player.add("a.ogg", "radio.ogg")

    states = [
        (playback.state, playback.uri, playback.track.track_id)
        for playback in [await control(line, one) for one in (PLAY, PAUSE, NEXT, PREVIOUS)]
    ]

    playing, paused = daemon_pb2.PLAYBACK_STATE_PLAYING, daemon_pb2.PLAYBACK_STATE_PAUSED
    a = track_id("a.ogg")
    assert states == [
        (playing, "a.ogg", a),
        (paused, "a.ogg", a),
        (playing, "radio.ogg", ""),
        (playing, "a.ogg", a),
    ]
    status = await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())
    assert status.playback == await control(line, PLAY)


async def test_what_is_impossible_is_said(house: House, line: Line) -> None:
    failed = grpc.StatusCode.FAILED_PRECONDITION

    assert await refused(control(line, PLAY)) == (failed, "PRECONDITION_FAILED", "")
    house.player.add("a.ogg")
    for action in (NEXT, PREVIOUS):
        assert await refused(control(line, action)) == (failed, "NOTHING_PLAYING", "")
    for unknown in (0, 77):
        assert await refused(control(line, unknown)) == (  # type: ignore[arg-type]
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_VALUE", "action",
        )  # fmt: skip
    house.player.vanish()
    assert (await refused(control(line, PLAY)))[0] is grpc.StatusCode.UNAVAILABLE


async def test_a_song_left_by_a_client_of_this_service_counts_as_skipped(
    house: House, line: Line, clock: FakeClock
) -> None:
    listening = PlayService(
        house.stores.library, house.stores.plays, house.events, clock, schema.Listening()
    )

    async def observe(after_seconds: float) -> None:
        clock.jump(after_seconds)
        await listening.observe(await house.player.state(), await house.player.queue())
        await listening.save()

    house.player.add("a.ogg", "b.ogg")
    await control(line, PLAY)
    await observe(0)
    await observe(30)
    await control(line, NEXT)
    await observe(0)
    await observe(30)
    await queue(line, Target(uri="c.ogg"), playback_pb2.QUEUE_POSITION_NOW)
    await observe(0)
    await observe(150)

    plays = [(play.track_id, play.outcome) for play in await house.stores.plays.recent(9)]
    skip = PlayOutcome.SKIP
    assert plays == [(track_id("b.ogg"), skip), (track_id("a.ogg"), skip)]


async def test_a_track_is_queued_at_the_end_unless_asked_otherwise(
    house: House, line: Line
) -> None:
    house.player.add("radio.ogg", "radio.ogg")
    await house.player.play()

    song_ids = [
        await queue(line, A),
        await queue(line, B, playback_pb2.QUEUE_POSITION_NEXT),
        await queue(line, A, playback_pb2.QUEUE_POSITION_END),
    ]

    assert await queued(house) == ["radio.ogg", "b.ogg", "radio.ogg", "a.ogg", "a.ogg"]
    entries = {entry.song_id: entry.uri for entry in await house.player.queue()}
    assert [entries[SongId(song_id)] for song_id in song_ids] == ["a.ogg", "b.ogg", "a.ogg"]
    assert (await house.player.state()).uri == "radio.ogg"


async def test_a_track_queued_to_be_played_now_plays(house: House, line: Line) -> None:
    first = await queue(line, A, playback_pb2.QUEUE_POSITION_NOW)
    playing = await house.player.state()
    second = await queue(line, B, playback_pb2.QUEUE_POSITION_NOW)

    assert (playing.playback_state, playing.song_id) == ("play", first)
    assert (await house.player.state()).song_id == second
    assert await queued(house) == ["a.ogg", "b.ogg"]


async def test_a_queued_track_is_the_listeners_own_entry(house: House, line: Line) -> None:
    house.player.add("radio.ogg")
    await house.player.play()
    song_id = await queue(line, A)

    await house.refill(1)

    assert (await house.player.queue())[1].song_id == song_id
    assert len(await house.player.queue()) == 3
    assert [pick.track_id for pick in await house.picks.ahead()] != [track_id("a.ogg")]


async def test_the_file_that_mpd_lists_is_queued(house: House, line: Line) -> None:
    await house.stores.library.store_files(
        [scanned("copies/x.ogg", audio="x"), scanned("x.ogg", audio="x")], EPOCH
    )
    house.player.database = {Uri("copies/x.ogg"): 180.0}
    await house.stores.library.mark_listed(house.player.database.__contains__)

    await queue(line, Target(uri="x.ogg"))

    assert await queued(house) == ["copies/x.ogg"]


async def test_a_track_that_cannot_be_queued(house: House, line: Line) -> None:
    failed = grpc.StatusCode.FAILED_PRECONDITION
    await add_tracks(house.stores, "unlisted.ogg")
    await house.stores.library.mark_missing([Uri("c.ogg")], EPOCH)

    for target, error in (
        (Target(), (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_VALUE", "target")),
        (Target(uri="none.ogg"), (grpc.StatusCode.NOT_FOUND, "UNKNOWN_TRACK", "")),
        (Target(current=CurrentSong()), (failed, "NOTHING_PLAYING", "")),
        (Target(uri="c.ogg"), (failed, "PRECONDITION_FAILED", "")),
        (Target(uri="unlisted.ogg"), (failed, "UNKNOWN_TO_PLAYER", "")),
    ):
        assert await refused(queue(line, target)) == error
    assert (await refused(queue(line, A, 9)))[2] == "position"  # type: ignore[arg-type]
    house.player.capacity = 0
    assert await refused(queue(line, A)) == (failed, "PLAYER_FULL", "")
    house.player.vanish()
    assert (await refused(queue(line, A)))[0] is grpc.StatusCode.UNAVAILABLE
    assert await house.stores.queue.entries() == {}
