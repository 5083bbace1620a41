"""Steering over gRPC and at the command line."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from anagnorisis.v1.daemon_pb2 import WatchEventsRequest
from anagnorisis.v1.pick_pb2 import (
    GetSteeringRequest,
    PreviewPicksRequest,
    SetSteeringRequest,
    Wish,
)
from anagnorisis.v1.track_pb2 import CurrentSong, Target
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.rpc import House, Line, refused, run, said, serving
from tests.support.steering import add_styles


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "sock"


@pytest.fixture
async def house(stores: Stores, clock: FakeClock) -> House:
    """A house with four styles of music."""
    await add_styles(stores)
    return House.build(stores, clock)


@pytest.fixture
async def line(house: House, socket: Path) -> AsyncIterator[Line]:
    async with serving(house, socket) as opened:
        yield opened


async def test_steered_picks_fit_and_say_how_well(line: Line) -> None:
    request = PreviewPicksRequest(count=8, seed=3)
    before = await line.picks.PreviewPicks(request)
    answer = await line.picks.SetSteering(SetSteeringRequest(wishes=[Wish(tag="jazz")]))
    steered = await line.picks.PreviewPicks(request)
    unsteered = await line.picks.PreviewPicks(PreviewPicksRequest(count=8, seed=3, unsteered=True))
    await line.picks.SetSteering(SetSteeringRequest())
    after = await line.picks.PreviewPicks(request)

    assert [pick.track for pick in unsteered.picks] == [pick.track for pick in before.picks]
    assert {pick.explanation.steering_factor for pick in unsteered.picks} == {1.0}
    assert len({pick.explanation.wish_fits[0].fit for pick in unsteered.picks}) > 1
    assert answer.steering.wishes[0].text == "jazz"
    assert {pick.track.artist for pick in steered.picks} == {"JAZZ"}
    factors = steered.picks[0].explanation
    assert 0 < factors.steering_factor <= 1
    assert [(each.wish, each.fit > 0.7) for each in factors.wish_fits] == [("jazz", True)]
    product = factors.rating_factor * factors.skip_factor * factors.recency_factor
    assert factors.weight == pytest.approx(product * factors.steering_factor)
    assert after == before
    assert before.picks[0].explanation.steering_factor == 1
    assert not before.picks[0].explanation.wish_fits


async def test_every_kind_of_wish_is_answered_as_it_was_asked(line: Line, house: House) -> None:
    house.player.database = {"jazz/1.ogg": 200.0}  # type: ignore[dict-item]
    house.player.add("jazz/1.ogg")
    await house.player.play()
    wishes = [
        Wish(tag="jazz"), Wish(unwanted_tag="metal"), Wish(like_artist="FOLK"),
        Wish(like_album="Best of folk"), Wish(decade=1980), Wish(folder="jazz"), Wish(energy=0.5),
        Wish(like_track=Target(current=CurrentSong())),
    ]  # fmt: skip

    await line.picks.SetSteering(SetSteeringRequest(wishes=wishes, strength=0.5, songs=4))
    answer = await line.picks.GetSteering(GetSteeringRequest())

    steering = answer.steering
    assert [each.wish for each in steering.wishes[:-1]] == wishes[:-1]
    assert steering.wishes[-1].text == "like 1 by JAZZ"
    assert (steering.strength, steering.songs_left) == (0.5, 4)
    assert not steering.HasField("ends_at")


async def test_the_end_may_be_a_length_or_a_time(line: Line, clock: FakeClock) -> None:
    wishes = [Wish(tag="jazz")]
    length = await line.picks.SetSteering(SetSteeringRequest(wishes=wishes, seconds=7200))
    moment = Timestamp(seconds=int(clock.now()) + 60)
    until = await line.picks.SetSteering(SetSteeringRequest(wishes=wishes, ends_at=moment))

    assert length.steering.ends_at.seconds == pytest.approx(clock.now() + 7200)
    assert until.steering.ends_at == moment


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (SetSteeringRequest(wishes=[Wish()]), "wishes"),
        (SetSteeringRequest(wishes=[Wish(tag=" ")]), "tag"),
        (SetSteeringRequest(wishes=[Wish(tag="polka")]), "tag"),
        (SetSteeringRequest(wishes=[Wish(decade=80)]), "decade"),
        (SetSteeringRequest(wishes=[Wish(folder="")]), "folder"),
        (SetSteeringRequest(wishes=[Wish(folder="nowhere")]), "folder"),
        (SetSteeringRequest(wishes=[Wish(energy=float("nan"))]), "energy"),
        (SetSteeringRequest(wishes=[Wish(tag="jazz")], strength=float("inf")), "strength"),
        (SetSteeringRequest(wishes=[Wish(tag="jazz")], strength=1.5), "strength"),
        (SetSteeringRequest(wishes=[Wish(tag="jazz")], seconds=-1), "seconds"),
        (SetSteeringRequest(wishes=[Wish(tag="jazz")], songs=0), "songs"),
        (SetSteeringRequest(wishes=[Wish(tag="jazz")], ends_at=Timestamp(seconds=5)), "ends_at"),
    ],
)
async def test_bad_requests_are_refused(
    line: Line, request_: SetSteeringRequest, field: str
) -> None:
    code, _, refused_field = await refused(line.picks.SetSteering(request_))

    assert (code, refused_field) == (grpc.StatusCode.INVALID_ARGUMENT, field)


async def test_steering_is_streamed_as_an_event(line: Line) -> None:
    call = line.daemon.WatchEvents(WatchEventsRequest())
    stream = aiter(call)
    await anext(stream)
    await line.picks.SetSteering(SetSteeringRequest(wishes=[Wish(tag="jazz")]))
    began = await anext(stream)
    await line.picks.SetSteering(SetSteeringRequest())
    ended = await anext(stream)
    call.cancel()

    assert began.steering_changed.steering.wishes[0].text == "jazz"
    assert ended.WhichOneof("event") == "steering_changed"
    assert not ended.steering_changed.HasField("steering")


@pytest.mark.slow
async def test_mood_at_the_command_line(line: Line, socket: Path, house: House) -> None:
    assert await said(socket, "mood") == "mood is off\n"

    first, second, header, *rest = (
        await said(socket, "mood", "jazz", "-metal", "--for", "2h", "--strength", "0.8")
    ).splitlines()
    assert first.startswith("mood: jazz, not metal; strength 0.8; until 2025-06-1")
    assert second == "the next picks would be, for example:"
    assert "STEERING" in header
    middle = rest.index("and without the mood:")
    assert middle == 10
    assert all("JAZZ" in row for row in rest[:middle])
    fit, other_fit = map(int, re.findall(r"(\d+)%", rest[-2]))
    assert fit > 75 > other_fit
    assert rest[-1].startswith("their mean rating, own or predicted, is 5.0, without the mood 5.0")

    await said(socket, "mood", "1980s", "calm", "folder:jazz", "--for", "10songs")
    steering = json.loads(await said(socket, "mood", "--json"))["steering"]
    assert [each["text"] for each in steering["wishes"]] == ["1980s", "calm", "folder jazz"]
    assert steering["songs_left"] == 10

    why = await said(socket, "why", "jazz/1.ogg")
    assert "steering factor" in why
    assert "1980s: fits better than" in why

    status = await said(socket, "status")
    assert "\nmood       1980s, calm, folder jazz; for 10 more songs\n" in status

    assert await said(socket, "mood", "off") == "mood is off\n"
    assert "steering" not in await said(socket, "why", "jazz/1.ogg")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["jaz"], "did you mean jazz?"),
        (["jazz", "-jazz"], "jazz and not jazz contradict each other"),
        (["jazz", "--for", "soon"], "'soon' is not a length such as 2h, 30m or 10songs"),
        (["jazz", "--until", "25:00"], "'25:00' is not a time of day such as 23:00"),
        (["--for", "2h"], "name what to hear"),
    ],
)
async def test_mistakes_at_the_command_line(
    line: Line, socket: Path, words: list[str], message: str
) -> None:
    done = await run(socket, "mood", *words)

    assert done.code != 0
    assert message in done.err
