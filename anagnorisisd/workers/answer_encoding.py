"""Encoding of a worker's answer: a JSON header, followed by the raw content of arrays.

A worker reads untrusted files, so its answer is untrusted too. Unpickling it could run code in the
daemon; `answer_decoding` builds only plain values and numeric arrays from these bytes. This module
runs in every worker and imports no numpy, to keep small workers small.

| value                         | in the header                                              |
|-------------------------------|------------------------------------------------------------|
| `None`, bool, int, float, str | the same in JSON                                           |
| list, tuple                   | a list                                                     |
| dict (keys: str), dataclass   | `{"dict": {...}}`                                          |
| bytes, array                  | `{"bytes": n}`, `{"array": n}`: index in the list of arrays |
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any

from anagnorisisd import errors

LENGTH = struct.Struct("<Q")
ARRAY_TYPES = {"<f4", "<f8", "<i4", "<i8", "|u1", "|b1"}
"""The element types that are accepted, as `numpy.dtype.str`."""

PLAIN_TYPES = (NoneType, bool, int, float, str)

RawArray = tuple[str, tuple[int, ...], bytes]
"""Element type, shape and content of an array."""


def encode(value: Any) -> bytes:
    """Return a value as bytes.

    Raises:
        TypeError: it contains a type that is not in the table above.
    """
    return _pack("value", value)


def encode_error(error: Exception) -> bytes:
    """Return an exception as bytes.

    Exceptions of `anagnorisisd.errors` keep their attributes, others their class name and text.
    """
    state = {key: value for key, value in vars(error).items() if isinstance(value, PLAIN_TYPES)}
    args = [value if isinstance(value, PLAIN_TYPES) else str(value) for value in error.args]
    if isinstance(error, OSError) and error.errno is not None:
        args = [error.errno, error.strerror]
    kind = type(error)
    base = next(each for each in kind.__mro__ if each.__module__ in ("builtins", errors.__name__))
    described = {"kind": kind.__name__, "base": base.__name__, "args": args, "state": state}
    return _pack("error", described | {"text": str(error)})


def _pack(kind: str, value: Any) -> bytes:
    arrays: list[RawArray] = []
    header = {kind: _header(value, arrays)}
    header["arrays"] = [[dtype, shape] for dtype, shape, _ in arrays]
    text = json.dumps(header).encode()
    return b"".join([LENGTH.pack(len(text)), text, *(content for _, _, content in arrays)])


def _header(value: Any, arrays: list[RawArray]) -> Any:
    if isinstance(value, PLAIN_TYPES):
        return value
    if isinstance(value, list | tuple):
        return [_header(each, arrays) for each in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a worker can only return dicts with keys of type str")
        return {"dict": {key: _header(each, arrays) for key, each in value.items()}}
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        return {"dict": {name: _header(getattr(value, name), arrays) for name in names}}
    if isinstance(value, bytes):
        arrays.append(("|u1", (len(value),), value))
        return {"bytes": len(arrays) - 1}
    return _array_header(value, arrays)


def _array_header(value: Any, arrays: list[RawArray]) -> Any:
    """Return the header of a numpy array or scalar."""
    if getattr(getattr(value, "dtype", None), "str", None) not in ARRAY_TYPES:
        raise TypeError(f"a worker cannot return a value of type {type(value).__name__}")
    if not value.shape:
        return value.item()
    arrays.append((value.dtype.str, value.shape, value.tobytes()))
    return {"array": len(arrays) - 1}
