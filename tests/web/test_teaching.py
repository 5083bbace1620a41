"""What a visit of the page Teach me remembers."""

import json
from typing import Any

from anagnorisis.v1.track_pb2 import Track
from anagnorisis_web.teaching import MAX_SKIPPED, VISIT_SECONDS, Baselines, Visit

IDS = [f"{number:032x}"[::-1] for number in range(200)]


def rated(track_id: str) -> Track:
    return Track(track_id=track_id, rating=5)


def predicted(track_id: str, stddev: float) -> Track:
    return Track(track_id=track_id, predicted_rating=5, predicted_stddev=stddev)


def test_tracks_come_one_after_the_other() -> None:
    visit = Visit({}, 0)
    visit.suggest(IDS[:8])
    assert visit.waiting == IDS[:5]
    visit.leave(rated(IDS[0]))
    visit.leave(Track(track_id=IDS[1]))
    assert visit.waiting == IDS[2:5]
    assert visit.rated == [IDS[0]]


def test_skipped_tracks_are_left_out() -> None:
    visit = Visit({}, 0)
    visit.suggest(IDS[:3])
    visit.skip(IDS[0])
    assert visit.waiting == IDS[1:3]
    visit.suggest(IDS[:4])
    assert visit.waiting == IDS[1:4]


def test_a_visit_goes_on_in_the_next_request_and_ends_after_hours() -> None:
    session: dict[str, Any] = {}
    visit = Visit(session, 0)
    visit.suggest(IDS[:3])
    visit.plays = True
    session = json.loads(json.dumps(session))
    again = Visit(session, VISIT_SECONDS)
    assert (again.visit_id, again.waiting) == (visit.visit_id, IDS[:3])
    other = Visit(session, 2 * VISIT_SECONDS + 1)
    assert other.visit_id != visit.visit_id
    assert other.waiting == []
    assert other.plays, "a preference, which stays"


def test_the_session_stays_small_enough_for_a_cookie() -> None:
    session: dict[str, Any] = {}
    visit = Visit(session, 0)
    for track_id in IDS:
        visit.skip(track_id)
        visit.leave(rated(track_id))
    visit.suggest(IDS)
    assert visit.skipped == MAX_SKIPPED
    assert len(json.dumps(session)) * 4 / 3 < 3000


def test_the_first_error_is_kept() -> None:
    visit = Visit({}, 0)
    assert visit.first_error(None) is None
    assert visit.first_error(0.9) == 0.9
    assert visit.first_error(0.7) == 0.9


def test_surer_predictions_are_counted_among_those_that_were_there_before() -> None:
    baselines = Baselines()
    assert baselines.compare("a", [Track(track_id=IDS[0])]) is None
    first = baselines.compare("a", [predicted(IDS[0], 3), predicted(IDS[1], 2)])
    assert first is not None
    assert (first.compared, first.surer) == (2, 0)
    tracks = [predicted(IDS[0], 2), predicted(IDS[1], 1.99), predicted(IDS[2], 1)]
    later = baselines.compare("a", tracks)
    assert later == (2, 1, 2.5, 1.995)
    other = baselines.compare("b", tracks)
    assert other is not None
    assert other.surer == 0
