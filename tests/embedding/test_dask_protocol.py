"""What a worker may answer, row by row; everything else is nonsense."""

import numpy as np
import pytest

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.embedding.dask import worker
from anagnorisisd.embedding.dask.protocol import (
    EmbeddingSpec,
    FileJob,
    FileNotVisible,
    Incapable,
    ProtocolError,
    read_survey,
    read_vector,
)
from anagnorisisd.errors import EmbeddingFailed

STAMP = EmbedderStamp("loud", "1", 2)
RIGHT = np.array([1.5, -2], "<f4").tobytes()


def test_a_vector_comes_back_bit_for_bit() -> None:
    vector = read_vector({"vector": RIGHT, "stamp": "loud-1"}, STAMP)

    assert vector.dtype == np.float32
    assert vector.tobytes() == RIGHT


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"vector": RIGHT, "stamp": "loud-2"}, "of loud-2 where loud-1 was asked for"),
        ({"vector": RIGHT[:4], "stamp": "loud-1"}, "of 4 bytes where loud-1 has 8"),
        ({"vector": b"\xff" * 8, "stamp": "loud-1"}, "not finite"),
        ({"vector": [1.5, -2], "stamp": "loud-1"}, "answered"),
        ({"vector": RIGHT}, "answered"),
        ({"failed": "no sound"}, "answered"),
        ({"not_visible": False}, "answered"),
        (None, "answered None"),
        ("\x1b[2J" + "x" * 1000, r"answered '\\x1b\[2Jxxx.{80,}\.\.\.$"),
    ],
)
def test_nonsense_is_refused(answer: object, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        read_vector(answer, STAMP)


def test_failures_of_a_worker_raise_different_errors() -> None:
    with pytest.raises(FileNotVisible):
        read_vector({"not_visible": True}, STAMP)
    with pytest.raises(Incapable, match="no weights"):
        read_vector({"incapable": "no weights"}, STAMP)
    with pytest.raises(EmbeddingFailed, match="no sound") as failed:
        read_vector({"failed": "no sound", "permanent": True}, STAMP)
    assert failed.value.permanent


def test_a_survey_is_a_number_of_places_or_a_reason() -> None:
    assert read_survey({"slots": 3}) == 3
    with pytest.raises(Incapable, match="no weights"):
        read_survey({"incapable": "no weights"})
    for answer in ({"slots": 0}, {"slots": "3"}, {}, None):
        with pytest.raises(ProtocolError):
            read_survey(answer)


def test_wishes_and_errands_travel_as_plain_values() -> None:
    spec = EmbeddingSpec(STAMP, (("engine", "torch"), ("threads", 2)), 7, "cpu", 60.0, 300.0)
    job = FileJob("/music/a.flac", 1000, 1_750_000_000.5)

    # As through JSON or msgpack, which know no tuples.
    values = spec.to_dict()
    values["conditions"] = [list(pair) for pair in values["conditions"]]

    assert EmbeddingSpec.from_dict(values) == spec
    assert FileJob.from_dict(job.to_dict()) == job


def test_other_version_is_refused_before_its_spec_is_read() -> None:
    answer = worker.survey("9.9.9", {"from": "the future"})

    with pytest.raises(Incapable, match=r"has anagnorisisd 0\.1\.0, the daemon 9\.9\.9"):
        read_survey(answer)
