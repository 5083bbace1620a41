"""Errors reach the parent from a worker unchanged."""

import pickle

import pytest

from anagnorisisd.errors import (
    AnagnorisisError,
    ConfigError,
    EmbeddingFailed,
    InvalidValue,
    UnknownTrack,
)


@pytest.mark.parametrize(
    "error",
    [
        UnknownTrack("no such track"),
        EmbeddingFailed("too short", permanent=True),
        InvalidValue("rating", "11 is above 10"),
        ConfigError(["one", "two"]),
    ],
)
def test_every_error_survives_pickling(error: AnagnorisisError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.__dict__ == error.__dict__
