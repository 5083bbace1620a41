"""Answers of workers: round trips, and malformed bytes as a compromised worker may send them."""

import contextlib
import errno
import json
import os
import pickle
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import TypeAliasType

from anagnorisisd import errors
from anagnorisisd.domain.evaluator import Floats64, Metrics, TrainedModel
from anagnorisisd.domain.track import (
    NOT_READ,
    CueTrack,
    FileStamp,
    ReaderFailure,
    ScannedFile,
    Tags,
    TrackId,
    Uri,
)
from anagnorisisd.errors import EmbedderUnusable, EmbeddingFailed
from anagnorisisd.workers.answer_decoding import InvalidAnswer, converter, decode
from anagnorisisd.workers.answer_encoding import encode, encode_error

texts = st.text() | st.binary().map(os.fsdecode)
maybe = st.none() | texts
cue_tracks = st.builds(
    CueTrack,
    uri=texts.map(Uri),
    source=texts.map(Uri),
    start_ms=st.integers(),
    end_ms=st.none() | st.integers(),
    tags=st.builds(Tags, title=maybe),
)
files = st.builds(
    ScannedFile,
    uri=texts.map(Uri),
    stamp=st.builds(FileStamp, st.integers(), st.integers()) | st.just(NOT_READ),
    track_id=st.none() | texts.map(TrackId),
    tags=st.builds(Tags, title=maybe, artist=maybe, genre=maybe, year=st.none() | st.integers()),
    duration_seconds=st.none() | st.floats(allow_nan=False),
    problem=maybe,
    reader_failure=st.none() | st.sampled_from(ReaderFailure),
    cue_tracks=st.lists(cue_tracks, max_size=2).map(tuple),
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=plain)
def test_plain_values_round_trip(value: Any) -> None:
    assert decode(encode(value)) == value


@given(found=st.lists(files))
def test_dataclasses_round_trip(found: list[ScannedFile]) -> None:
    assert decode(encode(found), converter(list[ScannedFile])) == found


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (0, 4)])
def test_arrays_round_trip(dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype)

    back = decode(encode(array[::-1]))

    assert back.dtype == dtype
    assert back.shape == shape
    assert back.flags.writeable
    assert (back == array).all()


def test_bytes_in_a_dataclass_round_trip() -> None:
    metrics = Metrics(1, 2.0, 0.5, 0.6, 0.9, {"mean": 2.0})
    model = TrainedModel("process", b"\0\xff", metrics, {"implicit_feedback": "helped"})

    assert decode(encode(model), converter(TrainedModel)) == model


def test_tuple_of_arrays_round_trips() -> None:
    mean, stddev = decode(encode((np.zeros(2), np.ones(2))), converter(tuple[Floats64, Floats64]))

    assert (mean + 1 == stddev).all()


Number = TypeVar("Number", bound=np.generic)
Alias = TypeAliasType("Alias", np.ndarray[tuple[Any, ...], np.dtype[Number]], type_params=(Number,))


def test_an_array_may_be_declared_by_a_generic_alias() -> None:
    """As numpy 2.5 declares its `NDArray`."""
    (array,) = decode(encode((np.ones(2),)), converter(tuple[Alias[np.float64]]))

    assert (array == [1, 1]).all()
    with pytest.raises(InvalidAnswer):
        decode(encode(np.ones(2, np.float32)), converter(Alias[np.float64]))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, "1"),
        (int, True),
        (str, 1),
        (float, "nan"),
        (list[str], ["a", 1]),
        (tuple[int, int], [1]),
        (Sequence[int], {"a": 1}),
        (Mapping[str, float], {"a": "b"}),
        (int | None, "a"),
        (Floats64, [1.0]),
        (Floats64, np.zeros(2, np.float32)),
        (Tags, {"title": "a"}),
        (ScannedFile, []),
        (FileStamp, [1, 2, 3]),
    ],
    ids=str,
)
def test_value_of_another_type_is_invalid(kind: Any, value: Any) -> None:
    with pytest.raises(InvalidAnswer):
        decode(encode(value), converter(kind))


def test_unsupported_types_cannot_be_encoded() -> None:
    for value in ({1: 2}, {1, 2}, object(), np.array(["a"]), np.array([object()]), 1j):
        with pytest.raises(TypeError):
            encode(value)


@pytest.mark.parametrize(
    "error",
    [
        EmbeddingFailed("no sound in it", permanent=True),
        EmbedderUnusable("damaged"),
        errors.PreconditionFailed("too few"),
        errors.InvalidValue("field", "is wrong"),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        PermissionError(errno.EACCES, "Permission denied"),
        OSError(errno.EIO, "Input/output error"),
        MemoryError(),
        ValueError("bad"),
        ZeroDivisionError("by nothing"),
        KeyError("a"),
    ],
    ids=repr,
)
def test_exceptions_round_trip(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        decode(encode_error(error))

    assert type(caught.value) is type(error)
    assert str(caught.value) == str(error)
    assert vars(caught.value) == vars(error)


def test_all_exceptions_of_the_project_round_trip() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.AnagnorisisError):
            with pytest.raises(kind):
                decode(encode_error(kind.__new__(kind, "why")))


def test_other_exceptions_keep_their_text() -> None:
    decoding = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")
    for error in (decoding, json.JSONDecodeError("odd", "", 0), SystemError("odd")):
        with pytest.raises((RuntimeError, ValueError, SystemError), match=r"odd|invalid"):
            decode(encode_error(error))


class Bomb:
    """Would run code if it were unpickled."""

    def __reduce__(self) -> Any:
        return os.abort, ()


def framed(header: object, rest: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        pickle.dumps(Bomb()),
        struct.pack("<Q", 2**63),
        framed([]),
        framed({}),
        framed({"arrays": []}),
        framed({"value": 1}),
        framed({"value": 1, "error": 2, "arrays": []}),
        framed({"value": 1, "arrays": []}, b"more"),
        framed({"value": {"array": 0}, "arrays": [["<f8", [2**40]]]}),
        framed({"value": {"array": 0}, "arrays": [["<f8", [-1]]]}),
        framed({"value": {"array": 0}, "arrays": [["|O", [1]]]}, bytes(8)),
        framed({"value": {"array": 7}, "arrays": []}),
        framed({"value": {"array": -1}, "arrays": [["<f8", [1]]]}, bytes(8)),
        framed({"value": {"pickle": 0}, "arrays": []}),
        framed({"value": {}, "arrays": []}),
        framed({"error": {}, "arrays": []}),
        framed({"error": 1, "arrays": []}),
        struct.pack("<Q", 33 << 20) + bytes(33 << 20),
        struct.pack("<Q", 10**6 + 21) + b'{"arrays":[],"value":' + b"[" * 10**6,
        framed({"value": {"array": 0}, "arrays": [["<f8", [0, 10**30]]]}),
        framed({"value": {"array": 0}, "arrays": [["<f8", [0] * 100]]}),
    ],
)
def test_malformed_answer_is_invalid(content: bytes) -> None:
    with pytest.raises(InvalidAnswer):
        decode(content)


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "eval", "open", "Sequence"])
def test_only_exceptions_are_created_from_errors(kind: str) -> None:
    told = {"kind": kind, "base": kind, "args": ["a"], "state": {"dict": {}}, "text": "a"}

    with pytest.raises(RuntimeError):
        decode(framed({"error": {"dict": told}, "arrays": []}))


@pytest.mark.slow
@settings(max_examples=500)
@given(value=plain, at=st.integers(0, 400), put=st.binary(max_size=4))
def test_damaged_answer_is_decoded_or_invalid(value: Any, at: int, put: bytes) -> None:
    content = encode(value)
    damaged = content[:at] + put + content[at + len(put) :]
    with contextlib.suppress(InvalidAnswer):
        decode(damaged, converter(list[ScannedFile]))
