"""Candidates: finding rows by track id."""

from anagnorisisd.domain.track import TrackId
from tests.support.candidates import candidates, name


def test_rows_are_found_by_track_id() -> None:
    found = candidates(5)
    assert [found.row(name(row)) for row in range(5)] == [0, 1, 2, 3, 4]
    assert found.row(TrackId("f" * 32)) is None
    assert found.row(TrackId("")) is None
    assert found.rows([name(4), TrackId("unknown"), name(1)]).tolist() == [4, 1]
    assert found.track_id(3) == name(3)
    assert candidates(0).row(name(0)) is None
