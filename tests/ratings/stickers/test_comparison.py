"""No rating is lost, or changed without the listener's word, whatever fails and in whatever order.

A state machine of a listener who rates here and in a client, an MPD that may lose its stickers,
and a daemon whose calls fail or that ends in between; the model knows only the listener's words.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from anagnorisisd.config import schema
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import AnagnorisisError, PlayerRefused, PlayerUnavailable, StoreError
from anagnorisisd.events import Events
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.stickers.comparison import RatingStickers
from anagnorisisd.ratings.stickers.likes import LikeStickers
from anagnorisisd.ratings.stickers.rules import LIKE_RATINGS, parse_rating, sticker_text
from anagnorisisd.storage.stores import Stores, open_stores
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.support.library import EPOCH, scanned, track_id

EXAMPLES = int(os.environ.get("ANAGNORISIS_STICKER_STATES", "25"))

TRACKS = {"a": ("a.wav", "copy of a.wav"), "b": ("b.wav",), "c": ("c.wav",), "d": ("d.wav",)}
FILES = {uri: track for track, uris in TRACKS.items() for uri in uris}
CONFIGURATIONS = [
    schema.Ratings(read_stickers=read, write_stickers=write, read_like=like)
    for read in (True, False)
    for write in (True, False)
    for like in (True, False)
]
TEXTS = st.sampled_from(["0", "3", "7", "10", "great"])


class Crash(BaseException):
    """The daemon ends."""


class Failing:
    """Something whose calls fail after a while: before they are carried out, or after that."""

    def __init__(self, real: object) -> None:
        self._real = real
        self.left: int | None = None
        self.error: BaseException = Crash()
        self.afterwards = False
        self.only: str | None = None

    def fail(self, left: int, error: BaseException, *, afterwards: bool, only: str | None) -> None:
        self.left, self.error, self.afterwards, self.only = left, error, afterwards, only

    def heal(self) -> None:
        self.left = None

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if not asyncio.iscoroutinefunction(real) or self.only not in (None, name):
            return real

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.left is None:
                return await real(*args, **kwargs)
            self.left -= 1
            if self.left >= 0:
                return await real(*args, **kwargs)
            if self.afterwards:
                await real(*args, **kwargs)
            raise self.error

        return call


class Daemon:
    """The part of the daemon that synchronises ratings and stickers, from one start to the next."""

    def __init__(
        self, player: Any, stores: Stores, stickers: Any, clock: FakeClock, config: schema.Ratings
    ) -> None:
        events = Events(clock)
        self.ratings = RatingService(stores.ratings, events, clock)
        tracks = TrackIdCache(stores.library, events)
        self.rating_stickers = RatingStickers(
            player=player,
            library=stores.library,
            store=stores.ratings,
            ratings=self.ratings,
            stickers=stickers,
            tracks=tracks,
            config=config,
        )
        self.pending = self.rating_stickers.pending
        self.likes = LikeStickers(player, stickers, stores.ratings, self.ratings, tracks)
        self.config = config
        self.reconfigure(config)

    def reconfigure(self, config: schema.Ratings) -> None:
        self.config = config
        self.rating_stickers.reconfigure(config)
        self.pending.set_reader("like", self.likes.reader if config.read_like else None)

    def expect_losses(self) -> None:
        self.rating_stickers.expect_losses()
        self.likes.reader.expect_losses()

    def record_event(self, now: float) -> None:
        self.rating_stickers.reader.record_event(now)
        self.likes.reader.record_event(now)

    async def synchronise(self) -> None:
        await self.pending.write()
        if self.config.read_stickers or self.config.write_stickers:
            await self.rating_stickers.compare()
        if self.config.read_like:
            await self.likes.compare()


class StickerMachine(RuleBasedStateMachine):
    """`allowed` has what each track's rating may be by what the listener said."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.mpd = FakePlayer(self.clock, dict.fromkeys(FILES, 60.0))
        self.allowed: dict[str, set[float | None]] = {track: {None} for track in TRACKS}
        # What was said in a client and not seen by the daemon yet, by name of sticker.
        self.unseen: dict[str, set[tuple[str, float]]] = {"rating": set(), "like": set()}
        self.watched = False
        self.last_live: dict[str, float] = {}
        self.connected = True

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize(config=st.sampled_from(CONFIGURATIONS))
    def start(self, config: schema.Ratings) -> None:
        self.stores = self.run(open_stores(Path(self.folder.name)))
        found = [scanned(uri, audio=track) for uri, track in FILES.items()]
        self.run(self.stores.library.store_files(found, EPOCH))
        self.player, self.stickers = Failing(self.mpd), Failing(self.stores.stickers)
        self.config = config
        self.begin()

    def begin(self) -> None:
        """Start the daemon."""
        self.player.heal()
        self.stickers.heal()
        self.daemon = Daemon(self.player, self.stores, self.stickers, self.clock, self.config)
        self.watched = False

    def attempt(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Let the daemon do something; return whether nothing went wrong."""
        self.clock.jump(1)
        try:
            self.run(work())
        except PlayerUnavailable:
            if self.connected:  # after a call that failed the link is made anew
                self.lose_link()
                self.restore_link()
            return False
        except AnagnorisisError:
            return False
        except Crash:
            self.begin()
            return False
        finally:
            self.player.heal()
            self.stickers.heal()
        return True

    def tell(self) -> None:
        """Let the daemon hear that a sticker changed."""
        if self.connected:
            self.daemon.record_event(self.clock.now())

    # The listener.

    @rule(track=st.sampled_from(sorted(TRACKS)), value=st.none() | st.sampled_from([1.0, 4.0, 7.5]))
    def rate_here(self, track: str, value: float | None) -> None:
        self.clock.jump(1)
        identity = track_id(track)
        ratings = self.daemon.ratings
        self.run(
            ratings.clear(identity, source="test")
            if value is None
            else ratings.rate(identity, value, source="test")
        )
        self.allowed[track] = {value}
        if value is None:  # a cleared rating does not count against a sticker of unknown time
            words = self.unseen["rating"] | self.unseen["like"]
            self.allowed[track] |= {said for of, said in words if of == track}
        self.last_live.pop(track, None)
        self.daemon.pending.add(identity)
        if self.connected:
            self.attempt(self.daemon.pending.write)

    @rule(uri=st.sampled_from(sorted(FILES)), text=TEXTS)
    def rate_in_a_client(self, uri: str, text: str) -> None:
        self.clock.jump(1)
        self.run(self.on_mpd(self.mpd.set_sticker, uri, "rating", text))
        track, value = FILES[uri], parse_rating(text)
        self.last_live.pop(track, None)
        if value is not None:
            self.allowed[track].add(value)
            self.unseen["rating"].add((track, value))
            if self.watched and self.config.read_stickers:
                self.last_live[track] = value
        self.tell()

    @rule(uri=st.sampled_from(sorted(FILES)))
    def take_a_rating_away_in_a_client(self, uri: str) -> None:
        self.clock.jump(1)
        self.run(self.on_mpd(self.mpd.set_sticker, uri, "rating", None))
        self.allowed[FILES[uri]].add(None)
        self.last_live.pop(FILES[uri], None)
        self.tell()

    @precondition(lambda self: self.config.read_like)
    @rule(uri=st.sampled_from(sorted(FILES)), text=st.sampled_from(["0", "1", "2", None]))
    def like_in_a_client(self, uri: str, text: str | None) -> None:
        self.clock.jump(1)
        self.run(self.on_mpd(self.mpd.set_sticker, uri, "like", text))
        value = LIKE_RATINGS.get(text or "")
        self.allowed[FILES[uri]].add(value)
        if value is not None:
            self.unseen["like"].add((FILES[uri], value))
        self.last_live.pop(FILES[uri], None)
        self.tell()

    @rule(config=st.sampled_from(CONFIGURATIONS))
    def configure(self, config: schema.Ratings) -> None:
        self.config = config
        self.last_live.clear()
        self.daemon.reconfigure(config)

    async def on_mpd(self, action: Callable[..., Any], *args: Any) -> None:
        """Do what a client does: it reaches MPD also when the daemon does not."""
        connected, self.mpd._connected = self.mpd._connected, True
        await action(Uri(args[0]), *args[1:])
        self.mpd._connected = connected

    # What befalls.

    @rule()
    def lose_link(self) -> None:
        if self.connected:
            self.connected = self.watched = False
            self.last_live.clear()
            self.mpd.vanish()
            self.daemon.expect_losses()

    @rule()
    def restore_link(self) -> None:
        if not self.connected:
            self.connected = True
            self.mpd.come_back()
            self.daemon.expect_losses()

    @rule(told=st.booleans(), only=st.sampled_from([None, "rating", "like"]))
    def start_mpd_without_stickers(self, told: bool, only: str | None) -> None:
        """MPD starts anew; the daemon may find out by itself before it is told."""
        self.watched = False
        self.last_live.clear()
        gone = [key for key in self.mpd._stickers if only in (None, key[1])]
        for key in gone:
            del self.mpd._stickers[key]
        if self.connected:
            self.mpd.vanish()
            self.mpd.come_back()
            if told:
                self.daemon.expect_losses()

    @rule(uri=st.sampled_from(sorted(FILES)))
    def lose_a_file_and_find_it_again(self, uri: str) -> None:
        """An update of MPD's database drops a file with its stickers."""
        self.watched = False
        self.last_live.clear()
        self.mpd.drop(uri)
        self.mpd.database[Uri(uri)] = 60.0
        if self.connected:
            self.daemon.expect_losses()

    @rule()
    def start_the_daemon_anew(self) -> None:
        self.last_live.clear()
        self.begin()

    @rule(
        left=st.integers(0, 12),
        error=st.sampled_from([Crash(), PlayerUnavailable("gone"), PlayerRefused("no")]),
        afterwards=st.booleans(),
        only=st.sampled_from([None, "set_sticker", "sticker", "stickers"]),
    )
    def break_the_player(
        self, left: int, error: BaseException, afterwards: bool, only: str | None
    ) -> None:
        if isinstance(error, PlayerRefused):
            afterwards, only = False, "set_sticker"
        self.player.fail(left, error, afterwards=afterwards, only=only)

    @rule(
        left=st.integers(0, 6),
        error=st.sampled_from([Crash(), StoreError("the disk is full")]),
        afterwards=st.booleans(),
    )
    def break_the_store(self, left: int, error: BaseException, afterwards: bool) -> None:
        self.stickers.fail(left, error, afterwards=afterwards, only=None)

    # What has to hold.

    @rule(times=st.integers(1, 3))
    def synchronise(self, times: int) -> None:
        if not self.connected:
            return
        done = [self.attempt(self.daemon.synchronise) for _ in range(times)]
        whole = all(done)
        if not whole or not self.connected:
            self.last_live.clear()
            return
        for track, value in self.last_live.items():
            assert self.rating(track) == value, "a client's rating was ignored"
        self.last_live.clear()
        self.have_seen()

    def have_seen(self) -> None:
        """Note that the daemon compared everything."""
        self.watched = self.config.read_stickers or self.config.write_stickers
        if self.config.read_stickers:
            self.unseen["rating"].clear()
        if self.config.read_like:
            self.unseen["like"].clear()

    @rule()
    def come_to_rest(self) -> None:
        """With everything in order, both sides say the same in the end."""
        self.player.heal()
        self.stickers.heal()
        self.restore_link()
        self.daemon.expect_losses()  # MPD takes again what it refused
        self.last_live.clear()
        for _ in range(4):
            assert self.attempt(self.daemon.synchronise)
        self.have_seen()
        if self.config.read_stickers and self.config.write_stickers:
            for uri, track in FILES.items():
                self.agree(uri, self.rating(track))
            if not self.config.read_like:
                for track in TRACKS:
                    self.allowed[track] = {self.rating(track)}

    def agree(self, uri: str, value: float | None) -> None:
        sticker = self.mpd._stickers.get((Uri(uri), "rating"))
        if sticker is None or parse_rating(sticker) is None:
            assert value is None or sticker == "great"
        else:
            assert value is not None
            assert sticker == sticker_text(value) or parse_rating(sticker) == value

    def rating(self, track: str) -> float | None:
        entry = self.run(self.stores.ratings.newest([track_id(track)])).get(track_id(track))
        return None if entry is None else entry.value

    @invariant()
    def every_rating_is_the_listeners_word(self) -> None:
        for track, allowed in self.allowed.items():
            assert self.rating(track) in allowed

    def teardown(self) -> None:
        self.run(self.stores.close())
        self.runner.close()
        self.folder.cleanup()


TestStickers = pytest.mark.slow(StickerMachine.TestCase)
TestStickers.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class Switching(FakePlayer):
    """Has likes switched off in the configuration while a sticker is read."""

    daemon: Daemon

    async def sticker(self, uri: Uri, name: str) -> str | None:
        """Switch likes off, and return the sticker."""
        self.daemon.reconfigure(schema.Ratings())
        return await super().sticker(uri, name)


async def test_likes_are_switched_off_while_stickers_are_read(
    stores: Stores, clock: FakeClock
) -> None:
    await stores.library.store_files(
        [scanned(uri, audio=track) for uri, track in FILES.items()], EPOCH
    )
    player = Switching(clock, dict.fromkeys(FILES, 60.0))
    likes = schema.Ratings(read_like=True)
    daemon = player.daemon = Daemon(player, stores, stores.stickers, clock, likes)
    for track in TRACKS:
        await daemon.ratings.rate(track_id(track), 7.0, source="test")
        daemon.pending.add(track_id(track))

    await daemon.pending.write()

    assert set((await player.stickers("rating")).values()) == {"7"}
