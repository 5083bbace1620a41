"""Commands of the channel that cannot be stored at once: tried again, or given up and said."""

import dataclasses
import json
from datetime import datetime
from typing import Any

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import PlayerUnavailable, StoreError
from anagnorisisd.events import Events
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.picks.service import PickService
from anagnorisisd.ratings import message_channel as channel_module
from anagnorisisd.ratings.message_channel import MAX_ANSWERS, RETRY_SECONDS, MessageChannel
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import add_tracks
from tests.support.steering import add_styles, steering_service

SONGS = {"a.ogg": 300.0, "b.ogg": 300.0}


class FullDisk(RatingStore):
    """Ratings on a disk that is full for a while; `late` ones are stored all the same."""

    full = True
    late = False

    async def rate(self, track_id: TrackId, value: float | None, **rest: Any) -> RatingChange:
        """Store a rating, if there is room again."""
        if self.full and self.late:
            await super().rate(track_id, value, **rest)
        if self.full:
            raise StoreError("the disk is full")
        return await super().rate(track_id, value, **rest)


@pytest.fixture
async def disk(stores: Stores) -> FullDisk:
    await add_tracks(stores, *SONGS)
    return FullDisk(stores.database)


@pytest.fixture
def player(clock: FakeClock) -> FakePlayer:
    return FakePlayer(clock, SONGS)


@pytest.fixture
def channel(stores: Stores, disk: FullDisk, player: FakePlayer, clock: FakeClock) -> MessageChannel:
    stores, events = dataclasses.replace(stores, ratings=disk), Events(clock)
    picks = PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=player,
        events=events,
        clock=clock,
        config=schema.Picks(enabled=False),
    )
    ratings = RatingService(stores.ratings, events, clock)
    return MessageChannel(
        player,
        TrackResolver(stores.library, player),
        ratings,
        picks.switch,
        clock,
        steering=steering_service(stores, events, clock),
    )


async def values(stores: Stores) -> list[float | None]:
    """Return the history of ratings, oldest first."""
    return [entry.value for entry in reversed(await stores.ratings.history(limit=100))]


async def test_storing_fails_for_a_minute(
    channel: MessageChannel, player: FakePlayer, clock: FakeClock, stores: Stores, disk: FullDisk
) -> None:
    player.send("rate 8 a.ogg")
    with pytest.raises(StoreError):
        await channel.process()
    clock.jump(RETRY_SECONDS - 1)
    player.send("rate 3 b.ogg")
    with pytest.raises(StoreError):
        await channel.process()
    assert player.replies == []

    clock.jump(1)
    with pytest.raises(StoreError):  # of the second one, whose minute has only begun
        await channel.process()
    assert player.replies == ["error: the disk is full"]

    disk.full = False
    await channel.process()
    assert player.replies[1:] == ["rated 3, was unrated"]
    assert await values(stores) == [3.0]


async def test_retry_of_a_stored_command_changes_nothing(
    channel: MessageChannel, player: FakePlayer, stores: Stores, disk: FullDisk
) -> None:
    disk.late = True
    player.send("rate +1 a.ogg")
    with pytest.raises(StoreError):
        await channel.process()

    disk.full = False
    await channel.process()

    assert await values(stores) == [6.0]
    assert player.replies == ["rated 6, was unrated"]


async def test_pending_commands_are_executed_on_close(
    channel: MessageChannel, player: FakePlayer, stores: Stores, disk: FullDisk
) -> None:
    player.send("rate 8 a.ogg")
    player.send("rate 3 b.ogg")
    with pytest.raises(StoreError):
        await channel.process()

    disk.full = False
    player.vanish()
    await channel.close()

    assert await values(stores) == [8.0, 3.0]


async def test_lost_commands_are_logged_on_close(
    channel: MessageChannel, player: FakePlayer, caplog: pytest.LogCaptureFixture
) -> None:
    player.send("rate 8 a.ogg")
    with pytest.raises(StoreError):
        await channel.process()

    await channel.close()

    assert "lost commands of MPD clients: 1; the disk is full" in caplog.text


async def test_messages_are_not_read_while_many_are_pending(
    channel: MessageChannel,
    player: FakePlayer,
    stores: Stores,
    disk: FullDisk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channel_module, "MAX_PENDING", 1)
    for value in (8, 3):
        player.send(f"rate {value} a.ogg")
        with pytest.raises(StoreError):
            await channel.process()

    disk.full = False
    await channel.process()

    assert await values(stores) == [8.0, 3.0]


class Mute(FakePlayer):
    """Goes away whenever it is to say something."""

    async def reply(self, text: str) -> None:
        """Go away."""
        self.vanish()
        raise PlayerUnavailable("the link broke")


async def test_commands_are_executed_when_answers_cannot_be_sent(
    stores: Stores, clock: FakeClock, disk: FullDisk
) -> None:
    disk.full = False
    player, events = Mute(clock, SONGS), Events(clock)
    picks = PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=player,
        events=events,
        clock=clock,
        config=schema.Picks(enabled=False),
    )
    ratings = RatingService(disk, events, clock)
    channel = MessageChannel(
        player, TrackResolver(stores.library, player), ratings, picks.switch, clock
    )
    count = MAX_ANSWERS + 6
    for value in range(count):
        player.send(f"rate {value / 10} a.ogg")

    await channel.process()

    assert await values(stores) == [value / 10 for value in range(count)]


async def test_mood(
    channel: MessageChannel, player: FakePlayer, stores: Stores, disk: FullDisk
) -> None:
    disk.full = False
    await add_styles(stores)
    player.database |= {Uri("jazz/1.ogg"): 200.0}
    player.add("jazz/1.ogg")
    await player.play()
    for command in (
        "mood", "mood jazz -metal for 2h", "mood like folder:jazz", "mood jaz", "mood", "mood off",
    ):  # fmt: skip
        player.send(command)

    await channel.process()

    assert player.replies == [
        "mood is off",
        "mood: jazz, not metal",
        "mood: folder jazz, like 1 by JAZZ",
        "error: tag: there is no tag 'jaz'; did you mean jazz?",
        "mood: folder jazz, like 1 by JAZZ",
        "mood is off",
    ]


async def test_mood_until_a_time_of_day(
    channel: MessageChannel, player: FakePlayer, stores: Stores, disk: FullDisk, clock: FakeClock
) -> None:
    disk.full = False
    await add_styles(stores)
    player.send("mood jazz until 23:00")

    await channel.process()

    ends_at = json.loads(await stores.queue.setting("steering") or "null")["ends_at"]
    end = datetime.fromtimestamp(ends_at)
    assert (end.hour, end.minute) == (23, 0)
    assert 0 < ends_at - clock.now() <= 25 * 3600
