"""Every command of `anagnorisis`, run as the listener runs it, against a real server."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from anagnorisis.v1.history_pb2 import ListPlaysRequest
from anagnorisis.v1.history_pb2_grpc import HistoryServiceStub
from anagnorisisd.domain.embedding import ExecutorState
from anagnorisisd.domain.evaluator import TagPreference
from anagnorisisd.domain.pick import Pick
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.player import PlaybackState
from anagnorisisd.domain.track import Tags, Uri
from anagnorisisd.embedding.musicnn import plan as musicnn
from anagnorisisd.embedding.sound_tags import MIN_TRACKS
from anagnorisisd.events import PickingSwitched, PickQueued, PlaybackChanged, PlayRecorded
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import (
    EPOCH,
    add_evaluator,
    add_rated,
    add_tracks,
    add_vectors,
    play,
    predict,
    scanned,
    track_id,
    unreadable,
    vector,
)
from tests.support.media import write_song
from tests.support.musicnn import vectors_of
from tests.support.rpc import House, answered, command, run, said, serving, started


@pytest.fixture
async def house(stores: Stores, clock: FakeClock, tmp_path: Path) -> AsyncIterator[House]:
    """A house with three tracks, the first one playing, that listens on `tmp_path/sock`."""
    (tmp_path / "music").mkdir()
    house = House.build(stores, clock, tmp_path / "music")
    tags = Tags(title="Song", artist="Somebody")
    await stores.library.store_files([scanned("a.ogg", tags=tags)], EPOCH)
    await add_tracks(stores, "b.ogg", "c.ogg")
    house.player.database = {Uri(uri): 200.0 for uri in ("a.ogg", "b.ogg", "c.ogg")}
    house.player.add("a.ogg")
    await house.player.play()
    async with serving(house, tmp_path / "sock"):
        yield house


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "sock"


class TestRating:
    @pytest.mark.parametrize(
        ("value", "shown", "stored"),
        [("8", "8", 8), ("7.5", "7.5", 7.5), ("0", "0", 0), ("+1", "6", 6), ("-0.5", "4.5", 4.5)],
    )
    async def test_rating_of_the_current_song(
        self, house: House, socket: Path, value: str, shown: str, stored: float
    ) -> None:
        assert await said(socket, "rate", value) == f"Somebody - Song: {shown} (was none)\n"

        newest = (await house.stores.ratings.history(limit=1))[0]
        assert (newest.track_id, newest.value, newest.source) == (track_id("a.ogg"), stored, "cli")

    async def test_another_track_is_rated_by_its_path_or_id(
        self, house: House, socket: Path
    ) -> None:
        await said(socket, "rate", "8", "b.ogg")
        await said(socket, "rate", "+1", track_id("b.ogg"))

        assert (await house.stores.ratings.current())[track_id("b.ogg")].value == 9

    async def test_clear_and_undo_say_what_was_before(self, house: House, socket: Path) -> None:
        await said(socket, "rate", "8")

        assert await said(socket, "clear") == "Somebody - Song: no rating (was 8)\n"
        assert await said(socket, "undo") == "Somebody - Song: 8 (was none)\n"

    async def test_the_history_is_a_table(self, house: House, socket: Path) -> None:
        await said(socket, "rate", "8")
        await said(socket, "clear")

        header, newest, oldest = (await said(socket, "ratings")).splitlines()

        assert header.split() == ["WHEN", "RATING", "SOURCE", "TRACK"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d  cleared  cli     a\.ogg", newest)
        assert oldest.split()[2:4] == ["8", "cli"]

    async def test_plays_are_listed_by_the_time_they_ended(
        self, house: House, socket: Path
    ) -> None:
        for outcome, ended_at in (
            (PlayOutcome.FULL, EPOCH),
            (PlayOutcome.SKIP, EPOCH + 60),
            (PlayOutcome.FULL, EPOCH - 60),
            (PlayOutcome.NEITHER, EPOCH),
        ):
            await house.stores.plays.append(play(track_id("a.ogg"), outcome, ended_at=ended_at))

        rows = [line.split() for line in (await said(socket, "plays")).splitlines()[1:]]
        entries = await answered(socket, "plays", "-n", "2")
        found: list[int] = []
        token = ""
        async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
            while True:
                request = ListPlaysRequest(page_size=1, page_token=token)
                answer = await HistoryServiceStub(channel).ListPlays(request)
                found.extend(entry.timestamp.seconds for entry in answer.plays)
                token = answer.next_page_token
                if not token:
                    break

        assert [row[2] for row in rows] == ["skip", "neither", "full", "full"]
        assert {row[-1] for row in rows} == {"a.ogg"}
        assert [entry["track_id"] for entry in entries] == [track_id("a.ogg")] * 2
        assert found == [EPOCH + 60, EPOCH, EPOCH, EPOCH - 60]

    async def test_plays_that_moved_to_another_track_are_in_the_history(
        self, house: House, socket: Path
    ) -> None:
        await house.stores.plays.append(play(track_id("a.ogg")))
        await house.stores.library.store_files([scanned("a.ogg", audio="better")], EPOCH)
        await house.stores.library.process_replacements(EPOCH)

        (row,) = (await said(socket, "ratings")).splitlines()[1:]
        (entry,) = await answered(socket, "ratings")
        undone = await said(socket, "undo")

        assert row.endswith("  plays moved  replacement  a.ogg")
        assert entry["plays_only"]
        assert undone.endswith(": its plays went back to the track whose file it replaced\n")
        (moved_back,) = await house.stores.plays.recent(9)
        assert moved_back.track_id == track_id("a.ogg")

    async def test_json_is_that_of_the_contract(self, house: House, socket: Path) -> None:
        (rated,) = await answered(socket, "rate", "8")
        (entry,) = await answered(socket, "ratings")

        assert rated["change"]["rating"] == 8
        assert rated["change"]["track"]["uri"] == "a.ogg"
        assert entry["track_id"] == track_id("a.ogg")


class TestRefusals:
    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (("rate", "11"), 2, "anagnorisis: rating: 11 is not between 0 and 10\n"),
            (("rate", "-11"), 2, "anagnorisis: delta: -11 is not between -10 and 10\n"),
            (("rate", "8", "x.ogg"), 1, "anagnorisis: the library has no track at 'x.ogg'; "),
            (("undo",), 1, "anagnorisis: "),
            (("embedding",), 1, "anagnorisis: "),
            (("rollback", "7"), 2, "anagnorisis: version: "),
        ],
    )
    async def test_an_error_is_one_line_with_its_code(
        self, house: House, socket: Path, words: tuple[str, ...], code: int, message: str
    ) -> None:
        done = await run(socket, *words)

        assert (done.code, done.out) == (code, "")
        assert done.err.startswith(message)
        assert done.err.count("\n") == 1

    @pytest.mark.parametrize(
        "words",
        [
            ("rate",),
            ("rate", "good"),
            ("rate", "nan"),
            ("tracks", "--state", "nice"),
            ("picks", "perhaps"),
            ("picks", "-n", "0"),
            ("tracks", "-n", "x"),
            ("dance",),
            ("--unknown",),
        ],
    )
    async def test_wrong_usage_is_reported_without_a_daemon(
        self, tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        done = await run(tmp_path / "nobody", *words)

        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("anagnorisis")
        assert done.err.endswith(" --help\n")
        assert done.err.count("\n") == 1

    async def test_mistyped_word_gets_a_suggestion(self, tmp_path: Path) -> None:
        misspelled = await run(tmp_path / "nobody", "stauts")
        state = await run(tmp_path / "nobody", "tracks", "--state", "falied")

        assert misspelled.err == "anagnorisis: there is no command 'stauts'; did you mean status?\n"
        assert state.err == (
            "anagnorisis tracks: there is no --state 'falied'; did you mean failed?\n"
        )

    @pytest.mark.parametrize("words", [(), ("status",), ("rate", "8"), ("watch",), ("scan",)])
    async def test_missing_daemon_error_names_socket_and_remedy(
        self, tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        done = await run(tmp_path / "nobody", *words)

        assert (done.code, done.out) == (69, "")
        assert done.err == (
            f"anagnorisis: no daemon answers on {tmp_path / 'nobody'}; "
            "start it with `anagnorisisd`, or name another --socket\n"
        )

    async def test_unavailable_mpd_has_the_exit_code_of_an_unavailable_daemon(
        self, house: House, socket: Path
    ) -> None:
        house.player.vanish()

        done = await run(socket, "rate", "8")

        assert (done.code, done.err) == (69, "anagnorisis: the player is away\n")

    async def test_socket_option_overrides_the_environment(
        self, house: House, socket: Path
    ) -> None:
        done = await command(
            "anagnorisis", "rate", "8", "--socket", str(socket), ANAGNORISIS_SOCKET="/nowhere"
        )

        assert done.code == 0


class TestStatus:
    async def test_bare_command_shows_current_song_and_next_picks(
        self, house: House, socket: Path, clock: FakeClock
    ) -> None:
        await add_rated(house.stores, {"b.ogg": 9})
        await house.refill(ahead=2)
        clock.jump(65)
        names = {"b.ogg": "b, rated 9", "c.ogg": "c, not rated"}
        first, second = (names[entry.uri] for entry in (await house.player.queue())[1:])

        assert (await said(socket)).splitlines() == [
            "playing: Somebody - Song, not rated (1:05/3:20)",
            f"  next 1: {first}",
            f"  next 2: {second}",
        ]

    async def test_a_line_for_status_bars(self, house: House, socket: Path) -> None:
        await said(socket, "rate", "7.5")

        line = await said(socket, "status", "--format", "{artist}: {title:.2} {rating}")
        refused = await command("anagnorisis", "status", "--format", "{song}", socket=socket)

        assert line == "Somebody: So 7.5\n"
        assert refused.code == 2
        assert "there is no field {song}; fields: state, artist, title" in refused.err

    async def test_bare_command_shows_that_picking_is_off_or_mpd_is_lost(
        self, house: House, socket: Path
    ) -> None:
        house.player.stop()
        await house.picks.switch(False)
        assert (await said(socket)).splitlines() == [
            "nothing is playing",
            "  picking is off; switch it on with `anagnorisis picks on`",
        ]

        house.player.vanish()
        assert (await said(socket)).startswith("not connected to MPD: it went away\n")

    async def test_why_no_picks_are_added_is_shown(self, house: House, socket: Path) -> None:
        house.player.capacity = 1
        await house.refill()

        bare = (await said(socket)).splitlines()
        lines = dict(line.split(maxsplit=1) for line in (await said(socket, "status")).splitlines())

        assert bare[1:] == ["  no picks are added: the queue is full"]
        assert lines["picking"] == "on, 0 ahead; none are added: the queue is full"

        await house.picks.switch(False)  # the reason is another one then
        assert "none are added" not in await said(socket, "status")

    async def test_status_has_a_line_for_every_part(self, house: House, socket: Path) -> None:
        await add_evaluator(house.stores)

        lines = dict(line.split(maxsplit=1) for line in (await said(socket, "status")).splitlines())

        assert list(lines) == [
            "daemon", "mpd", "playback", "picking", "library", "embedder", "executor",
            "evaluator", "training",
        ]  # fmt: skip
        assert lines["library"] == "3 tracks, 0 rated"
        assert lines["embedder"] == "test 1, 3 pending"
        assert lines["evaluator"] == (
            "1 (gaussian_process, 20 ratings): mean absolute error 1.20 (baseline 1.60)"
        )

    async def test_status_shows_failed_trainings_and_the_next_retry(
        self, house: House, socket: Path
    ) -> None:
        for _ in range(2):
            await house.stores.evaluators.record_failure(EPOCH, "the worker died\n")

        lines = dict(line.split(maxsplit=1) for line in (await said(socket, "status")).splitlines())

        assert lines["training"].startswith("failed 2 times: the worker died?; next try 20")

    @pytest.mark.parametrize(
        ("executor", "line"),
        [
            (ExecutorState(), "this computer"),
            (ExecutorState("tcp://desk:8786"), "tcp://desk:8786, at rest"),
            (ExecutorState("tcp://desk:8786", 1), "tcp://desk:8786, 1 worker"),
            (
                ExecutorState("tcp://desk:8786", problem="no answer\n"),
                "tcp://desk:8786 cannot be used now: no answer?",
            ),
        ],
    )
    async def test_status_shows_the_executor(
        self, house: House, socket: Path, executor: ExecutorState, line: str
    ) -> None:
        house.embedder.executor = executor

        lines = dict(line.split(maxsplit=1) for line in (await said(socket, "status")).splitlines())

        assert lines["executor"] == line

    async def test_control_characters_in_tags_are_replaced(
        self, house: House, socket: Path
    ) -> None:
        tags = Tags(title="\x1b[2Jgone\nrated 10")
        await house.stores.library.store_files([scanned("b.ogg", tags=tags)], EPOCH)

        assert await said(socket, "rate", "3", "b.ogg") == "?[2Jgone?rated 10: 3 (was none)\n"

    async def test_ascii_terminal(self, house: House, socket: Path) -> None:
        tags = Tags(title="Café")
        await house.stores.library.store_files([scanned("b.ogg", tags=tags)], EPOCH)

        done = await command(
            "anagnorisis", "rate", "3", "b.ogg", socket=socket, PYTHONIOENCODING="ascii"
        )

        assert (done.code, done.out) == (0, "Caf?: 3 (was none)\n")


class TestLibrary:
    async def test_tracks_are_a_table_in_the_order_asked_for(
        self, house: House, socket: Path
    ) -> None:
        await add_rated(house.stores, {"b.ogg": 3, "c.ogg": 9})

        lines = (await said(socket, "tracks", "--order", "rating")).splitlines()

        assert lines[0].split() == [
            "RATING", "PREDICTED", "PLAYS", "SKIPS", "LENGTH", "TRACK", "PATH",
        ]  # fmt: skip
        assert [line.split()[-1] for line in lines[1:]] == ["c.ogg", "b.ogg", "a.ogg"]

    async def test_tracks_are_filtered_searched_and_limited(
        self, house: House, socket: Path
    ) -> None:
        await add_rated(house.stores, {"b.ogg": 3})

        assert [t["uri"] for t in await answered(socket, "tracks", "--state", "rated")] == ["b.ogg"]
        assert [t["uri"] for t in await answered(socket, "tracks", "somebody")] == ["a.ogg"]
        assert len(await answered(socket, "tracks", "-n", "2")) == 2

    async def test_long_lists_are_read_to_their_end(self, house: House, socket: Path) -> None:
        await add_tracks(house.stores, *(f"{number}.ogg" for number in range(1200)))

        assert len(await answered(socket, "tracks", "-n", "5000")) == 1203

    async def test_similar_tracks_come_nearest_first(self, house: House, socket: Path) -> None:
        vectors = {"a.ogg": (1, 5, 9, 1), "b.ogg": (9, 5, 1, 1), "c.ogg": (2, 5, 8, 1)}
        await add_vectors(
            house.stores, {track_id(uri): vector(*numbers) for uri, numbers in vectors.items()}
        )

        lines = (await said(socket, "similar")).splitlines()

        assert lines[0].split() == ["SIMILARITY", "RATING", "TRACK", "PATH"]
        assert [line.split()[-1] for line in lines[1:]] == ["c.ogg", "b.ogg"]

    async def test_an_embedding_names_its_maker(self, house: House, socket: Path) -> None:
        await add_vectors(house.stores, {track_id("a.ogg"): vector(1, 2.5, 3, 4)})

        assert await said(socket, "embedding") == (
            f"{track_id('a.ogg')} by test 1, 4 numbers\n1 2.5 3 4\n"
        )

    async def test_files_that_cannot_be_used_are_listed_with_their_reasons(
        self, house: House, socket: Path
    ) -> None:
        await house.stores.library.store_files([unreadable("bad.mp3", "empty file")], EPOCH)

        lines = (await said(socket, "unusable")).splitlines()

        assert [line.split(maxsplit=2) for line in lines] == [
            ["REASON", "PATH"], ["empty", "file", "bad.mp3"],
        ]  # fmt: skip
        assert await answered(socket, "unusable") == [{"uri": "bad.mp3", "reason": "empty file"}]
        status = (await said(socket, "status")).splitlines()
        assert any("1 file cannot be used (`anagnorisis unusable` says why)" in it for it in status)

    async def test_a_scan_ends_with_what_it_changed(
        self, house: House, socket: Path, tmp_path: Path
    ) -> None:
        write_song(tmp_path / "music" / "new.flac")

        assert (await said(socket, "scan")).splitlines()[-1] == (
            "1 file: 1 added, 0 moved, 0 changed, 3 missing, 0 cannot be used; 1 embedding pending"
        )
        steps = await answered(socket, "scan")
        assert [step["finished"] for step in steps] == [*[False] * (len(steps) - 1), True]


class TestPicks:
    async def test_picks_are_a_table_with_their_factors(self, house: House, socket: Path) -> None:
        lines = (await said(socket, "picks", "-n", "2", "--seed", "1")).splitlines()

        assert lines[0].split() == ["CHANCE", "WEIGHT", "RATING", "SKIPS", "RECENCY", "TRACK"]
        assert len(lines) == 3
        assert lines == (await said(socket, "picks", "-n", "2", "--seed", "1")).splitlines()

    async def test_picking_is_switched(self, house: House, socket: Path) -> None:
        assert await said(socket, "picks", "off") == "picking is off\n"
        assert not house.picks.enabled
        assert await answered(socket, "picks", "on") == [{"enabled": True}]
        assert house.picks.enabled

    async def test_why_names_every_factor(self, house: House, socket: Path) -> None:
        for uri, value in (("a.ogg", 8), ("b.ogg", 3)):
            await house.stores.ratings.rate(track_id(uri), value, at=EPOCH, source="test")

        lines = (await said(socket, "why")).splitlines()

        assert lines[0] == "Somebody - Song"
        assert [line[2:18].rstrip() for line in lines[1:8]] == [
            "rating", "rating factor", "skip factor", "recency factor", "weight", "chance", "rank",
        ]  # fmt: skip
        assert lines[1].split(maxsplit=1)[1] == "8 (your rating)"
        assert lines[7].split(maxsplit=1)[1] == "1 of 3"
        assert lines[8:] == []

    async def test_why_explains_a_predicted_rating(self, house: House, socket: Path) -> None:
        await house.stores.ratings.rate(track_id("b.ogg"), 3, at=EPOCH, source="test")
        await add_vectors(house.stores, {track_id("a.ogg"): vector(1, 2, 3, 4)})
        await predict(house.stores, {track_id("a.ogg"): 7.0})
        others = [f"{number}.ogg" for number in range(MIN_TRACKS)]
        await add_tracks(house.stores, *others)
        vectors = vectors_of(["a.ogg", *others], ["a.ogg"])
        await house.stores.embeddings.put(musicnn.STAMP, vectors)
        likes_jazz = [TagPreference("jazz", 1.5, 1.2, 7)]
        await house.stores.evaluators.put_tag_preferences(1, likes_jazz)
        house.evaluator.influencing = [(track_id("b.ogg"), 1.0)]
        house.evaluator.shares = {
            "artist": 0.25, "parent_folder": 0.047, "audio": 0.7, "year": 0.003,
        }  # fmt: skip

        lines = (await said(socket, "why")).splitlines()

        assert lines[1].split(maxsplit=1)[1] == "7 (predicted)"
        assert lines[8:] == [
            "  predicted 7.0: sounds like the jazz tracks that you like",
            "  rests on",
            "     70%  audio",
            "     25%  artist",
            "      5%  parent folder",
            "  shaped by",
            "    100%  b, rated 3",
        ]

    async def test_queued_track_has_no_probability(self, house: House, socket: Path) -> None:
        await house.refill(ahead=2)

        last = (await said(socket, "why", "b.ogg")).splitlines()[-1]

        assert last.split(maxsplit=1) == ["chance", "none while it is in the queue"]


class TestEvaluators:
    async def test_training_ends_with_its_reason(self, house: House, socket: Path) -> None:
        assert (await said(socket, "train")).splitlines()[-1].startswith("10 more rated and ")

        rated = await add_rated(house.stores, {f"{value}.ogg": value for value in range(10)})
        await add_vectors(
            house.stores, {track: vector(1, 2, 3, row) for row, track in enumerate(rated)}
        )
        *progress, reason, evaluator, implicit_feedback = (await said(socket, "train")).splitlines()

        assert progress
        assert reason == "no evaluator to compare with; mean absolute error 1.20"
        assert evaluator == (
            "evaluator 1 (gaussian_process, 10 ratings): mean absolute error 1.20 (baseline 2.40)"
        )
        assert implicit_feedback == "plays and skips: not used: no clear gain"

    async def test_evaluators_are_a_table_and_can_be_rolled_back(
        self, house: House, socket: Path
    ) -> None:
        await add_evaluator(house.stores)
        await add_evaluator(house.stores)

        assert (await said(socket, "rollback")).startswith("current evaluator: 1 (gaussian_process")
        lines = (await said(socket, "evaluators")).splitlines()

        assert lines[0].split()[:4] == ["VERSION", "TRAINED", "MODEL", "RATINGS"]
        assert [line.split("  ")[-1] for line in lines[1:3]] == ["retired", "current"]
        assert lines[3:] == ["plays and skips: not used"]


class TestWatching:
    async def test_past_events_are_printed_as_lines(self, house: House, socket: Path) -> None:
        await said(socket, "rate", "8")
        await said(socket, "picks", "off")

        done = await watched(socket, 2, "--after", "0")

        assert re.fullmatch(
            r"\d{4}-\d\d-\d\d \d\d:\d\d  rated: Somebody - Song: 8 \(was none\) by cli",
            done[0],
        )
        assert done[1].endswith("  picking is off")

    async def test_watch_shows_names_or_the_id_of_unknown_tracks(
        self, house: House, socket: Path
    ) -> None:
        chosen = Pick(track_id("b.ogg"), await house.picks.explain(track_id("b.ogg")))
        house.events.publish(PlayRecorded(play(track_id("a.ogg"))))
        house.events.publish(PickQueued(chosen, Uri("b.ogg")))
        house.events.publish(PlayRecorded(play(track_id("x.ogg"))))

        played, picked, stranger = await watched(socket, 3, "--after", "0")

        assert played.endswith("  played in full after 3:00: Somebody - Song (test)")
        assert picked.endswith("  picked: b, chance 33.33%")
        assert stranger.endswith(f": {track_id('x.ogg')} (test)")

    async def test_json_events_have_a_sequence_number(self, house: House, socket: Path) -> None:
        await said(socket, "rate", "8")

        beat, rated = map(json.loads, await watched(socket, 2, "--after", "0", "--json"))

        assert "heartbeat" in beat
        assert (rated["sequence"], rated["epoch"]) == ("1", beat["epoch"])

    async def test_a_line_per_change_for_status_bars(self, house: House, socket: Path) -> None:
        words = ("watch", "--format", "{state} {title} {score}")
        async with started("anagnorisis", *words, socket=socket) as process:
            assert process.stdout is not None
            lines = []
            async with asyncio.timeout(20):
                lines.append(await process.stdout.readline())
                house.events.publish(PickingSwitched(True))  # which changes nothing in it
                await said(socket, "rate", "8")
                lines.append(await process.stdout.readline())
                await house.player.pause()
                house.events.publish(PlaybackChanged(PlaybackState.PAUSE, None, None))
                lines.append(await process.stdout.readline())
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130

        assert lines == [b"playing Song \n", b"playing Song 8\n", b"paused Song 8\n"]


async def watched(socket: Path, lines: int, *words: str) -> list[str]:
    """Return the first lines of `watch`, then interrupt it as Ctrl-C would."""
    async with started("anagnorisis", "watch", *words, socket=socket) as process:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            told = [(await process.stdout.readline()).decode().rstrip() for _ in range(lines)]
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
    return told


async def test_a_reader_that_has_seen_enough_is_no_error(house: House, socket: Path) -> None:
    await add_tracks(house.stores, *(f"{number}.ogg" for number in range(2000)))

    done = await command("bash", "-c", "anagnorisis tracks -n 3000 | head -n 1", socket=socket)

    assert (done.code, done.err) == (0, "")


async def test_help_and_version_need_no_daemon() -> None:
    helped = await command("anagnorisis", "--help")
    version = await command("anagnorisis", "--version")

    assert helped.out.startswith("usage: anagnorisis")
    assert version.out == "anagnorisis 0.1.0\n"
