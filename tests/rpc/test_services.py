"""The other services through the socket: library, picks, evaluators and the daemon itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from anagnorisis.v1 import daemon_pb2, evaluator_pb2, library_pb2, pick_pb2, rating_pb2, track_pb2
from anagnorisis.v1.track_pb2 import Target
from anagnorisisd.domain.rating import Rating, RatingChange
from anagnorisisd.domain.track import Tags, Uri
from anagnorisisd.events import LibraryChanged, TrackRated
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.support.library import (
    EPOCH,
    add_evaluator,
    add_rated,
    add_tracks,
    add_vectors,
    play,
    scanned,
    track_id,
    unreadable,
    vector,
)
from tests.support.media import write_song
from tests.support.rpc import House, Line, refused, serving

A, B, C = Target(uri="a.ogg"), Target(uri="b.ogg"), Target(uri="c.ogg")


@pytest.fixture
def house(stores: Stores, clock: FakeClock, tmp_path: Path) -> House:
    return House.build(stores, clock, tmp_path)


@pytest.fixture
async def line(house: House, tmp_path: Path) -> AsyncIterator[Line]:
    house.player.database = {Uri(uri): 100.0 for uri in ("a.ogg", "b.ogg", "c.ogg")}
    async with serving(house, tmp_path / "sock") as opened:
        yield opened


async def add_examples(house: House, count: int) -> None:
    """Add tracks that are rated and embedded."""
    rated = {f"{number}.ogg": float(number % 11) for number in range(count)}
    added = await add_rated(house.stores, rated)
    await add_vectors(
        house.stores, {track: vector(1, 2, 3, row) for row, track in enumerate(added)}
    )


class TestLibrary:
    async def test_a_track_carries_everything_known_of_it(self, house: House, line: Line) -> None:
        tags = Tags(title="Song", artist="Somebody", album="Record", genre="Noise")
        await house.stores.library.store_files([scanned("a.ogg", tags=tags)], EPOCH)
        await house.stores.ratings.rate(track_id("a.ogg"), 8, at=EPOCH, source="test")
        await house.stores.plays.append(play(track_id("a.ogg")))

        track = (await line.library.GetTrack(library_pb2.GetTrackRequest(target=A))).track

        assert track.track_id == track_id("a.ogg")
        assert (track.title, track.artist, track.album, track.genre) == (
            "Song", "Somebody", "Record", "Noise",
        )  # fmt: skip
        assert (track.duration_seconds, track.rating) == (180, 8)
        assert not track.HasField("predicted_rating")
        assert (track.play_count, track.skip_count) == (1, 0)
        assert track.last_played_at.seconds == track.added_at.seconds == EPOCH
        assert track.state == track_pb2.TRACK_STATE_PENDING

    async def test_a_path_that_is_no_utf8_is_shown_with_question_marks(
        self, house: House, line: Line
    ) -> None:
        await add_tracks(house.stores, "caf\udce9.ogg")
        target = Target(track_id=track_id("caf\udce9.ogg"))

        answer = await line.library.GetTrack(library_pb2.GetTrackRequest(target=target))

        assert answer.track.uri == "caf?.ogg"

    async def test_tracks_come_in_pages_in_the_order_asked_for(
        self, house: House, line: Line
    ) -> None:
        await add_rated(house.stores, {f"{value}.ogg": value for value in range(7)})
        request = library_pb2.ListTracksRequest(
            order=library_pb2.TRACK_ORDER_RATING,
            filter=library_pb2.TRACK_FILTER_RATED,
            page_size=3,
        )
        pages = []

        while True:
            page = await line.library.ListTracks(request)
            pages.append([track.rating for track in page.tracks])
            request.page_token = page.next_page_token
            if not request.page_token:
                break

        assert pages == [[6, 5, 4], [3, 2, 1], [0]]

    async def test_a_track_that_leaves_a_list_between_two_pages_hides_no_other(
        self, house: House, line: Line
    ) -> None:
        await add_tracks(house.stores, *(f"{number}.ogg" for number in range(6)))
        request = library_pb2.ListTracksRequest(
            filter=library_pb2.TRACK_FILTER_UNRATED, page_size=2
        )
        found: list[str] = []

        while True:
            page = await line.library.ListTracks(request)
            found += [track.track_id for track in page.tracks]
            target = Target(track_id=page.tracks[0].track_id)
            await line.ratings.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=5))
            request.page_token = page.next_page_token
            if not request.page_token:
                break

        assert len(found) == len(set(found)) == 6

    async def test_a_file_that_is_mended_between_two_pages_hides_no_other(
        self, house: House, line: Line
    ) -> None:
        files = [unreadable(f"{name}.mp3") for name in "abcdef"]
        await house.stores.library.store_files(files, EPOCH)
        request = library_pb2.ListUnusableFilesRequest(page_size=3)
        first = await line.library.ListUnusableFiles(request)
        await house.stores.library.mark_missing([Uri("a.mp3")], EPOCH)

        request.page_token = first.next_page_token
        rest = await line.library.ListUnusableFiles(request)

        assert [file.uri for file in rest.files] == ["d.mp3", "e.mp3", "f.mp3"]

    async def test_files_that_cannot_be_used_come_in_pages_with_their_reasons(
        self, house: House, line: Line
    ) -> None:
        files = [unreadable(f"{name}.mp3", f"{name} is broken") for name in "cab"]
        await house.stores.library.store_files(
            [*files, unreadable("caf\udce9.mp3", "empty")], EPOCH
        )
        request = library_pb2.ListUnusableFilesRequest(page_size=3)

        first = await line.library.ListUnusableFiles(request)
        request.page_token = first.next_page_token
        rest = await line.library.ListUnusableFiles(request)

        assert [(file.uri, file.reason) for file in first.files] == [
            (f"{name}.mp3", f"{name} is broken") for name in "abc"
        ]
        assert [file.uri for file in rest.files] == ["caf?.mp3"]
        assert not rest.next_page_token

    async def test_a_filter_leaves_out_the_others(self, house: House, line: Line) -> None:
        await add_rated(house.stores, {"rated.ogg": 5})
        await add_tracks(house.stores, "plain.ogg", "gone.ogg")
        await house.stores.library.mark_missing([Uri("gone.ogg")], EPOCH)

        async def listed(name: str, text: str = "") -> set[str]:
            chosen = library_pb2.TrackFilter.Value(f"TRACK_FILTER_{name}")
            request = library_pb2.ListTracksRequest(filter=chosen, text=text)
            return {track.uri for track in (await line.library.ListTracks(request)).tracks}

        assert await listed("RATED") == {"rated.ogg"}
        assert await listed("MISSING") == {"gone.ogg"}
        assert await listed("PENDING") == {"rated.ogg", "plain.ogg"}
        assert await listed("UNSPECIFIED", "PLAIN") == {"plain.ogg"}

    @pytest.mark.parametrize(
        ("request_", "field"),
        [
            ({"filter": 99}, "filter"),
            ({"order": 99}, "order"),
            ({"page_size": -1}, "page_size"),
            ({"page_size": 1001}, "page_size"),
            ({"text": "x" * 257}, "text"),
            ({"page_token": "x"}, "page_token"),
        ],
    )
    async def test_a_list_that_cannot_be_is_refused_by_field(
        self, line: Line, request_: dict[str, int], field: str
    ) -> None:
        call = line.library.ListTracks(library_pb2.ListTracksRequest(**request_))  # type: ignore[arg-type]

        assert await refused(call) == (
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_VALUE", field,
        )  # fmt: skip

    async def test_scan_progress_ends_with_finished(self, line: Line, tmp_path: Path) -> None:
        for seed in range(2):
            write_song(tmp_path / f"{seed}.flac", seed)

        told = [
            (step.found, step.added, step.pending_embeddings, step.finished)
            async for step in line.library.ScanLibrary(library_pb2.ScanLibraryRequest())
        ]

        assert not any(finished for *_, finished in told[:-1])
        assert told[-1] == (2, 2, 2, True)

    async def test_a_vector_comes_with_its_maker(self, house: House, line: Line) -> None:
        await add_tracks(house.stores, "a.ogg", "b.ogg")
        await add_vectors(house.stores, {track_id("a.ogg"): vector(1, 2, 3, 4)})

        answer = await line.library.GetEmbedding(library_pb2.GetEmbeddingRequest(target=A))
        missing = line.library.GetEmbedding(library_pb2.GetEmbeddingRequest(target=B))

        assert list(answer.vector) == [1, 2, 3, 4]
        assert (answer.embedder.name, answer.embedder.version) == ("test", "1")
        assert answer.embedder.dimension == 4
        assert (await refused(missing))[0] is grpc.StatusCode.FAILED_PRECONDITION

    async def test_the_most_similar_tracks_come_first_without_the_track_itself(
        self, house: House, line: Line
    ) -> None:
        await add_tracks(house.stores, "a.ogg", "b.ogg", "c.ogg")
        await add_vectors(
            house.stores,
            {
                track_id("a.ogg"): vector(1, 5, 9, 1),
                track_id("b.ogg"): vector(9, 5, 1, 1),
                track_id("c.ogg"): vector(2, 5, 8, 1),
            },
        )

        answer = await line.library.FindSimilar(library_pb2.FindSimilarRequest(target=A, count=5))

        assert [found.track.uri for found in answer.tracks] == ["c.ogg", "b.ogg"]
        assert answer.tracks[0].similarity > 0.9
        assert answer.tracks[1].similarity < -0.9


class TestPicks:
    async def test_a_preview_with_a_seed_repeats_itself_and_explains_each_pick(
        self, house: House, line: Line
    ) -> None:
        await add_rated(house.stores, {f"{value}.ogg": value for value in range(10)})
        request = pick_pb2.PreviewPicksRequest(count=4, seed=1)

        first = await line.picks.PreviewPicks(request)
        second = await line.picks.PreviewPicks(request)

        assert first == second
        assert len(first.picks) == 4
        for chosen in first.picks:
            factors = chosen.explanation
            assert factors.rating == chosen.track.rating
            assert factors.rating_source == pick_pb2.RATING_SOURCE_RATING
            assert factors.weight == pytest.approx(
                factors.rating_factor * factors.skip_factor * factors.recency_factor
            )

    async def test_upcoming_picks_are_listed_with_reasons_and_removed(
        self, house: House, line: Line
    ) -> None:
        await add_rated(house.stores, {f"{value}.ogg": value for value in range(10)})
        house.player.database = {Uri(f"{value}.ogg"): 100.0 for value in range(10)}
        house.player.add("0.ogg")
        await house.player.play()
        await house.refill()

        async def listed() -> list[pick_pb2.UpcomingPick]:
            answer = await line.picks.ListUpcomingPicks(pick_pb2.ListUpcomingPicksRequest())
            return list(answer.picks)

        before = await listed()
        request = pick_pb2.RemovePickRequest(song_id=before[1].song_id)
        removed = (await line.picks.RemovePick(request)).track
        assert await listed() == [before[0], before[2]]
        await house.refill()
        after = await listed()

        queue = [entry.song_id for entry in await house.player.queue()]
        assert [pick.song_id for pick in after] == queue[1:]
        assert all(pick.explanation.rating == pick.track.rating for pick in before + after)
        assert removed == before[1].track
        assert removed not in [pick.track for pick in after]
        assert await refused(line.picks.RemovePick(request)) == (
            grpc.StatusCode.FAILED_PRECONDITION, "PRECONDITION_FAILED", "",
        )  # fmt: skip
        assert (await refused(line.picks.RemovePick(pick_pb2.RemovePickRequest(song_id=-1))))[
            2
        ] == "song_id"
        await house.stores.library.mark_missing([Uri(after[0].track.uri)], EPOCH)
        house.events.publish(LibraryChanged(missing=1))
        house.events.publish(TrackRated(RatingChange(Rating(1, track_id("x"), 1, 0, ""), None)))
        await house.refill()
        assert [pick.HasField("explanation") for pick in await listed()] == [False, True, True]
        house.player.vanish()
        assert (await refused(listed()))[0] is grpc.StatusCode.UNAVAILABLE

    async def test_without_a_count_as_many_come_as_are_kept_ahead(
        self, house: House, line: Line
    ) -> None:
        await add_tracks(house.stores, *(f"{number}.ogg" for number in range(9)))

        answer = await line.picks.PreviewPicks(pick_pb2.PreviewPicksRequest())

        assert len(answer.picks) == 3

    async def test_an_explanation_names_what_shaped_the_prediction(
        self, house: House, line: Line
    ) -> None:
        a, b = await add_rated(house.stores, {"a.ogg": 9, "b.ogg": 3})
        await add_vectors(house.stores, {a: vector(1, 2, 3, 4)})
        await add_evaluator(house.stores)
        house.evaluator.influencing = [(b, 1.0)]
        house.evaluator.shares = {
            "artist": 0.25, "parent_folder": 0.047, "audio": 0.7, "year": 0.003,
        }  # fmt: skip

        answer = await line.picks.ExplainTrack(pick_pb2.ExplainTrackRequest(target=A))

        assert answer.track.uri == "a.ogg"
        assert (answer.explanation.rank, answer.explanation.candidates) == (1, 2)
        assert [influence.track.uri for influence in answer.influences] == ["b.ogg"]
        assert [(each.feature, each.share) for each in answer.feature_contributions] == [
            ("audio", 0.7),
            ("artist", 0.25),
            ("parent_folder", 0.047),
            ("year", 0.003),
        ]

    async def test_a_missing_track_cannot_be_explained(self, house: House, line: Line) -> None:
        await add_tracks(house.stores, "a.ogg")
        await house.stores.library.mark_missing([Uri("a.ogg")], EPOCH)

        call = line.picks.ExplainTrack(pick_pb2.ExplainTrackRequest(target=A))

        assert (await refused(call))[0] is grpc.StatusCode.FAILED_PRECONDITION

    async def test_status_after_switching_picking_off(self, house: House, line: Line) -> None:
        answer = await line.picks.SetPicking(pick_pb2.SetPickingRequest(enabled=False))

        assert not answer.enabled
        assert not (await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())).picking_enabled

    @pytest.mark.parametrize("count", [-1, 1001])
    async def test_a_count_out_of_range_is_refused(self, line: Line, count: int) -> None:
        call = line.picks.PreviewPicks(pick_pb2.PreviewPicksRequest(count=count))

        assert (await refused(call))[2] == "count"


class TestEvaluators:
    async def test_there_is_no_evaluation_without_an_evaluator(self, line: Line) -> None:
        request = evaluator_pb2.GetEvaluationRequest()

        assert await refused(line.evaluators.GetEvaluation(request)) == (
            grpc.StatusCode.FAILED_PRECONDITION, "NO_EVALUATOR", "",
        )  # fmt: skip

    async def test_a_training_ends_with_its_outcome_and_the_evaluator(
        self, house: House, line: Line
    ) -> None:
        await add_examples(house, 10)

        told = [
            step
            async for step in line.evaluators.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest())
        ]

        outcomes = [step.outcome for step in told]
        assert set(outcomes[:-1]) == {evaluator_pb2.TRAINING_OUTCOME_UNSPECIFIED}
        assert outcomes[-1] == evaluator_pb2.TRAINING_OUTCOME_PROMOTED
        metrics = told[-1].evaluator.metrics
        assert metrics.error_ratio == pytest.approx(0.5)
        assert dict(metrics.model_errors) == {"mean": 2.4, "neighbours": 1.5}
        current = await line.evaluators.GetEvaluator(evaluator_pb2.GetEvaluatorRequest())
        assert current.evaluator == told[-1].evaluator

    async def test_too_few_ratings_are_an_outcome_and_no_error(
        self, house: House, line: Line
    ) -> None:
        await add_examples(house, 9)

        told = [
            step
            async for step in line.evaluators.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest())
        ]

        assert told[-1].outcome == evaluator_pb2.TRAINING_OUTCOME_TOO_FEW_RATINGS
        assert not told[-1].HasField("evaluator")

    async def test_a_call_for_the_running_training_starts_none(
        self, house: House, line: Line
    ) -> None:
        await add_examples(house, 10)
        request = evaluator_pb2.TrainEvaluatorRequest(running_only=True)

        call = line.evaluators.TrainEvaluator(request)

        assert (await refused(anext(aiter(call))))[0] == grpc.StatusCode.FAILED_PRECONDITION
        assert not (await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())).training.running

    async def test_before_the_first_training_there_is_none(self, line: Line) -> None:
        call = line.evaluators.GetEvaluator(evaluator_pb2.GetEvaluatorRequest())

        assert (await refused(call))[:2] == (
            grpc.StatusCode.FAILED_PRECONDITION, "NO_EVALUATOR",
        )  # fmt: skip

    async def test_versions_are_listed_and_the_one_before_takes_over_again(
        self, house: House, line: Line
    ) -> None:
        for _ in range(3):
            await add_evaluator(house.stores)

        back = await line.evaluators.RollbackEvaluator(evaluator_pb2.RollbackEvaluatorRequest())
        page = await line.evaluators.ListEvaluators(
            evaluator_pb2.ListEvaluatorsRequest(page_size=2)
        )
        rest = await line.evaluators.ListEvaluators(
            evaluator_pb2.ListEvaluatorsRequest(page_size=2, page_token=page.next_page_token)
        )

        assert back.evaluator.version == 2
        listed = [(entry.version, entry.status) for entry in (*page.evaluators, *rest.evaluators)]
        assert listed == [
            (3, evaluator_pb2.EVALUATOR_STATUS_RETIRED),
            (2, evaluator_pb2.EVALUATOR_STATUS_CURRENT),
            (1, evaluator_pb2.EVALUATOR_STATUS_RETIRED),
        ]
        assert not rest.next_page_token

    async def test_there_must_be_one_to_go_back_to(self, house: House, line: Line) -> None:
        none = line.evaluators.RollbackEvaluator(evaluator_pb2.RollbackEvaluatorRequest())
        unknown = line.evaluators.RollbackEvaluator(
            evaluator_pb2.RollbackEvaluatorRequest(version=9)
        )

        assert (await refused(none))[0] is grpc.StatusCode.FAILED_PRECONDITION
        assert (await refused(unknown))[2] == "version"


class TestStatus:
    async def test_status_has_every_part(self, house: House, line: Line) -> None:
        await add_rated(house.stores, {"a.ogg": 8})
        await add_tracks(house.stores, "b.ogg", "c.ogg")
        await add_vectors(house.stores, {track_id("a.ogg"): vector(1, 2, 3, 4)})
        await house.stores.library.store_files([unreadable("broken.ogg")], EPOCH)
        await add_evaluator(house.stores)
        (song,) = house.player.add("a.ogg")
        await house.player.play()
        await house.refill(ahead=1)

        status = await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())

        assert status.version
        assert status.mpd.connected
        assert status.playback.state == daemon_pb2.PLAYBACK_STATE_PLAYING
        assert (status.playback.song_id, status.playback.track.rating) == (song, 8)
        assert [track.uri for track in status.upcoming_picks] == [
            entry.uri for entry in (await house.player.queue())[1:]
        ]
        counts = status.library
        assert (counts.tracks, counts.embedded, counts.pending) == (3, 1, 2)
        assert (counts.rated, counts.unusable_files) == (1, 1)
        assert (status.embedding.embedder.name, status.embedding.pending) == ("test", 2)
        assert status.evaluator.version == 1
        assert status.training.next_training_at.seconds > EPOCH

    async def test_status_without_mpd(self, house: House, line: Line) -> None:
        house.player.vanish()

        status = await line.daemon.GetStatus(daemon_pb2.GetStatusRequest())

        assert not status.mpd.connected
        assert status.mpd.error == "it went away"
        assert status.playback.state == daemon_pb2.PLAYBACK_STATE_UNSPECIFIED


class TestStandards:
    async def test_health_of_every_service(self, line: Line) -> None:
        health = health_pb2_grpc.HealthStub(line.channel)

        for service in ("", "anagnorisis.v1.RatingService", "anagnorisis.v1.DaemonService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

    async def test_reflection_lists_every_service(self, line: Line) -> None:
        stub = reflection_pb2_grpc.ServerReflectionStub(line.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")

        answers = [answer async for answer in stub.ServerReflectionInfo(iter([request]))]

        names = {service.name for service in answers[0].list_services_response.service}
        assert names >= {
            f"anagnorisis.v1.{name}Service"
            for name in ("Rating", "Library", "Pick", "Evaluator", "Daemon")
        }

    async def test_reflection_answers_newer_clients_that_ask_for_v1(self, line: Line) -> None:
        ask = line.channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        request = reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="anagnorisis.v1.RatingService"
        )

        answers = [answer async for answer in ask(iter([request]))]

        assert answers[0].file_descriptor_response.file_descriptor_proto

    async def test_an_error_about_a_very_long_path_reaches_the_client(self, line: Line) -> None:
        path = "ü" * 2000
        request = library_pb2.GetTrackRequest(target=Target(uri=path))

        with pytest.raises(aio.AioRpcError) as caught:
            await line.library.GetTrack(request)

        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert "üüü … üüü" in (caught.value.details() or "")

    async def test_a_very_long_tag_is_refused_by_name(self, line: Line) -> None:
        for call in (
            line.library.ListTracks(library_pb2.ListTracksRequest(sound_tag="x" * 5000)),
            line.library.GetLibraryMap(
                library_pb2.GetLibraryMapRequest(sound_tag="x" * 5000)
            ).read(),
        ):
            code, _, field = await refused(call)
            assert (code, field) == (grpc.StatusCode.INVALID_ARGUMENT, "sound_tag")

    @pytest.mark.parametrize(
        ("error", "code", "reason"),
        [
            ("PRAGMA query_only = ON", grpc.StatusCode.FAILED_PRECONDITION, "STORE_UNWRITABLE"),
            ("PRAGMA max_page_count = 1", grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL"),
        ],
    )
    async def test_status_code_of_an_unwritable_or_full_database(
        self, house: House, line: Line, error: str, code: grpc.StatusCode, reason: str
    ) -> None:
        (track,) = await add_tracks(house.stores, "a.ogg")
        await house.stores.database.write(lambda db: db.execute(error).fetchall())

        for number in range(500):  # until no page has room any more, nor any free page is left
            call = line.ratings.RateTrack(
                rating_pb2.RateTrackRequest(
                    target=Target(track_id=track), rating=5, request_id=f"{number:0128}"
                )
            )
            try:
                await call
            except aio.AioRpcError:
                break

        assert (await refused(call))[:2] == (code, reason)

    async def test_a_database_that_is_closed_is_unavailable(self, house: House, line: Line) -> None:
        await house.stores.close()

        call = line.library.ListTracks(library_pb2.ListTracksRequest())

        assert (await refused(call))[:2] == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")

    async def test_a_deadline_is_kept(self, house: House, line: Line) -> None:
        with pytest.raises(aio.AioRpcError) as caught:
            async for _ in line.daemon.WatchEvents(daemon_pb2.WatchEventsRequest(), timeout=0.2):
                pass

        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    async def test_unexpected_exception_is_logged_and_not_sent(
        self,
        house: House,
        line: Line,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def broken() -> None:
            raise ZeroDivisionError("secret")

        monkeypatch.setattr(house.player, "link", broken)

        call = line.daemon.GetStatus(daemon_pb2.GetStatusRequest())

        assert (await refused(call))[:2] == (grpc.StatusCode.INTERNAL, "INTERNAL_ERROR")
        assert "secret" in caplog.text

    async def test_a_message_over_the_limit_is_refused(self, line: Line) -> None:
        request = rating_pb2.RateTrackRequest(source="x" * (2 << 20))

        with pytest.raises(aio.AioRpcError) as caught:
            await line.ratings.RateTrack(request)

        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
