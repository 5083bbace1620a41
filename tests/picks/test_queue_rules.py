"""Queue rules: missing picks, owned entries, and which of them may be replaced."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from anagnorisisd.domain.player import Mode, PlaybackState, PlayerState, QueueEntry, SongId
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.picks import queue_rules

A, B, C = map(TrackId, "abc")


def entries(*ids: int, priorities: Mapping[int, int] | None = None) -> list[QueueEntry]:
    """Return a queue of entries with these ids."""
    found = priorities or {}
    return [
        QueueEntry(SongId(number), Uri(f"{number}.ogg"), position, found.get(number, 0))
        for position, number in enumerate(ids)
    ]


def state(
    position: int | None = 0, playback_state: PlaybackState = PlaybackState.PLAY, **more: Any
) -> PlayerState:
    song_id = None if position is None else SongId(position + 1)
    return PlayerState(0.0, playback_state, song_id=song_id, position=position, **more)


def ours(*ids: int) -> set[SongId]:
    return set(map(SongId, ids))


def short(where: PlayerState, standing: Sequence[QueueEntry], own: set[SongId], **more: Any) -> int:
    return queue_rules.shortfall(where, standing, own, 3, **more).count


@pytest.mark.parametrize(
    ("where", "own", "expected"),
    [
        (state(0), ours(), 3),
        (state(0), ours(2), 2),
        (state(0), ours(2, 3, 4), 0),
        (state(0), ours(2, 3, 4, 5), 0),
        (state(2), ours(2, 4, 5), 1),  # the listener jumped over 2
        (state(3), ours(4, 5), 2),  # ours plays: it is no longer ahead
        (state(None, PlaybackState.STOP), ours(1, 2), 1),
        (state(0, PlaybackState.STOP), ours(2), 2),
        (state(0, PlaybackState.PAUSE), ours(2), 2),
        (state(2, random=True), ours(1, 2), 1),  # any of them may come
        (state(2, random=True), ours(1, 3), 2),  # 3 plays
        (state(0, consume=Mode.ON), ours(2), 2),
        (state(0, consume=Mode.ONESHOT), ours(2), 2),
        (state(0, single=Mode.ON), ours(), 0),
        (state(0, single=Mode.ONESHOT), ours(), 0),
        (state(0, repeat=True), ours(), 0),
    ],
)
def test_shortfall_by_playback_options(where: PlayerState, own: set[SongId], expected: int) -> None:
    assert short(where, entries(1, 2, 3, 4, 5), own) == expected


def test_shortfall_of_an_empty_queue() -> None:
    empty = state(None, PlaybackState.STOP)

    assert short(empty, [], ours()) == 0
    assert short(empty, [], ours(), fill_empty_queue=True) == 3
    assert queue_rules.shortfall(empty, [], ours(), 3).reason is not None


@pytest.mark.parametrize(
    ("where", "own", "begun", "expected"),
    [
        (state(2), ours(2, 4), ours(1), [1, 2]),  # played, and jumped over
        (state(2), ours(4), ours(3), []),  # it plays still
        (state(1), ours(3), ours(4), [4]),  # the listener went back
        (state(3), ours(), ours(), []),
        (state(2, random=True), ours(1, 4), ours(2), [2]),  # 1 may still come
        (state(None, PlaybackState.STOP), ours(1), ours(2), [2]),
    ],
)
def test_finished_entries(
    where: PlayerState, own: set[SongId], begun: set[SongId], expected: list[int]
) -> None:
    spent = queue_rules.finished_entries(where, entries(1, 2, 3, 4), own, begun)
    assert [entry.song_id for entry in spent] == expected


def test_started_entry() -> None:
    assert queue_rules.started_entry(state(2)) == SongId(3)
    assert queue_rules.started_entry(state(2, PlaybackState.PAUSE)) == SongId(3)
    assert queue_rules.started_entry(state(2, PlaybackState.STOP)) is None


@pytest.mark.parametrize(
    ("where", "replaceable"),
    [
        (state(0), [2, 4]),
        (state(0, elapsed_seconds=100.0, duration_seconds=200.0), [2, 4]),
        (state(0, elapsed_seconds=191.0, duration_seconds=200.0), [4]),
        (state(0, elapsed_seconds=165.0, duration_seconds=200.0, crossfade_seconds=20.0), [4]),
        (state(0, elapsed_seconds=191.0, duration_seconds=200.0, random=True), []),
        (state(2, elapsed_seconds=199.0, duration_seconds=200.0), []),
        (state(1), [4]),
    ],
)
def test_replaceable_entries(where: PlayerState, replaceable: list[int]) -> None:
    standing = entries(1, 2, 3, 4, 5, priorities={5: 7})  # 5 was given a priority: it is theirs

    found = queue_rules.replaceable_entries(where, standing, ours(2, 4, 5))

    assert [entry.song_id for entry in found] == replaceable


class TestRecognition:
    """Which entries are ours after a restart of either side."""

    def test_same_ids_and_same_tracks(self) -> None:
        standing = entries(5, 9, 7)
        tracks = {SongId(5): A, SongId(9): B, SongId(7): C}

        found = queue_rules.find_owned_entries({SongId(9): B, SongId(7): C}, standing, tracks)

        assert found == {SongId(9): B, SongId(7): C}

    def test_same_id_with_another_track(self) -> None:
        assert queue_rules.find_owned_entries({SongId(5): A}, entries(5, 9), {SongId(5): B}) == {}

    def test_a_restarted_player_renumbers_its_entries(self) -> None:
        standing = entries(1, 2, 3)
        tracks = {SongId(1): A, SongId(2): B, SongId(3): A}

        found = queue_rules.find_owned_entries({SongId(8): A, SongId(9): B}, standing, tracks)

        assert found == {SongId(3): A, SongId(2): B}

    def test_the_same_track_added_by_the_listener(self) -> None:
        assert queue_rules.find_owned_entries({SongId(8): A}, entries(4, 9), {SongId(9): A}) == {}

    def test_an_empty_queue_has_no_owned_entries(self) -> None:
        assert queue_rules.find_owned_entries({SongId(8): A}, [], {}) == {}


@pytest.mark.parametrize(
    ("before", "now", "consume", "cleared"),
    [
        ([1, 2, 3], [], False, True),
        ([1, 2, 3], [4, 5], False, True),  # emptied, and filled with other songs
        ([1], [], False, True),
        ([1], [], True, False),
        ([1, 2], [], True, True),
        ([], [], False, False),
        ([], [1], False, False),
        ([1, 2, 3], [3, 1], False, False),
    ],
)
def test_was_cleared(before: list[int], now: list[int], consume: bool, cleared: bool) -> None:
    found = queue_rules.was_cleared(ours(*before), entries(*now), consume=consume)

    assert found is cleared
