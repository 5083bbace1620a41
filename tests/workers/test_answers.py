"""What workers answer: encoded, decoded, checked; and what one that was taken over may send."""

import contextlib
import errno
import json
import os
import pickle
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd import errors
from anagnorisisd.domain.evaluator import Floats64, Metrics, TrainedModel
from anagnorisisd.domain.reader_loss import ReaderLoss
from anagnorisisd.domain.track import NOT_READ, FileStamp, ScannedFile, Tags, TrackId, Uri
from anagnorisisd.errors import EmbedderUnusable, EmbeddingFailed
from anagnorisisd.workers.answer_decoding import Nonsense, checker, decoded
from anagnorisisd.workers.answer_encoding import encoded, encoded_error

texts = st.text() | st.binary().map(os.fsdecode)
maybe = st.none() | texts
files = st.builds(
    ScannedFile,
    uri=texts.map(Uri),
    stamp=st.builds(FileStamp, st.integers(), st.integers()) | st.just(NOT_READ),
    track_id=st.none() | texts.map(TrackId),
    tags=st.builds(Tags, title=maybe, artist=maybe, genre=maybe, year=st.none() | st.integers()),
    duration_seconds=st.none() | st.floats(allow_nan=False),
    problem=maybe,
    loss=st.none() | st.sampled_from(ReaderLoss),
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=plain)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert decoded(encoded(value)) == value


@given(found=st.lists(files))
def test_files_come_back_as_they_were(found: list[ScannedFile]) -> None:
    assert decoded(encoded(found), checker(list[ScannedFile])) == found


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (0, 4)])
def test_arrays_come_back_as_they_were(dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype)

    back = decoded(encoded(array[::-1]))

    assert back.dtype == dtype
    assert back.shape == shape
    assert back.flags.writeable
    assert (back == array).all()


def test_a_model_comes_back_as_it_was() -> None:
    metrics = Metrics(1, 2.0, 0.5, 0.6, 0.9, {"mean": 2.0})
    model = TrainedModel("process", b"\0\xff", metrics, {"implicit_feedback": "helped"})

    assert decoded(encoded(model), checker(TrainedModel)) == model


def test_two_arrays_are_a_pair() -> None:
    mean, stddev = decoded(encoded((np.zeros(2), np.ones(2))), checker(tuple[Floats64, Floats64]))

    assert (mean + 1 == stddev).all()


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
def test_what_was_not_asked_for_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(Nonsense):
        decoded(encoded(value), checker(kind))


def test_what_the_table_does_not_have_cannot_be_answered() -> None:
    for value in ({1: 2}, {1, 2}, object(), np.array(["a"]), np.array([object()]), 1j):
        with pytest.raises(TypeError):
            encoded(value)


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
def test_errors_come_back_as_they_were(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        decoded(encoded_error(error))

    assert type(caught.value) is type(error)
    assert str(caught.value) == str(error)
    assert vars(caught.value) == vars(error)


def test_every_error_of_ours_comes_back() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.AnagnorisisError):
            with pytest.raises(kind):
                decoded(encoded_error(kind.__new__(kind, "why")))


def test_other_errors_are_told_in_words() -> None:
    decoding = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")
    for error in (decoding, json.JSONDecodeError("odd", "", 0), SystemError("odd")):
        with pytest.raises((RuntimeError, ValueError, SystemError), match=r"odd|invalid"):
            decoded(encoded_error(error))


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
def test_whatever_a_worker_sends_is_an_answer_or_nonsense(content: bytes) -> None:
    with pytest.raises(Nonsense):
        decoded(content)


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "eval", "open", "Sequence"])
def test_only_errors_are_made_of_errors(kind: str) -> None:
    told = {"kind": kind, "base": kind, "args": ["a"], "state": {"dict": {}}, "text": "a"}

    with pytest.raises(RuntimeError):
        decoded(framed({"error": {"dict": told}, "arrays": []}))


@settings(max_examples=500)
@given(value=plain, at=st.integers(0, 400), put=st.binary(max_size=4))
def test_damaged_answers_are_answers_or_nonsense(value: Any, at: int, put: bytes) -> None:
    content = encoded(value)
    damaged = content[:at] + put + content[at + len(put) :]
    with contextlib.suppress(Nonsense):
        decoded(damaged, checker(list[ScannedFile]))
