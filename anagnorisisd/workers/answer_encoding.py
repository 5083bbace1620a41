"""What workers answer, as bytes: a header in JSON, then raw arrays. Light: no numpy.

A worker reads foreign files, so its answer may be anything, and unpickling one would let it run
code in the daemon. `answer_decoding` reads these bytes, and makes nothing but plain values and
arrays of numbers of them.

| value                        | in the header                                          |
|------------------------------|--------------------------------------------------------|
| `None`, bool, int, float, str | as JSON has it                                        |
| list, tuple                  | a list                                                 |
| dict (of str), dataclass     | `{"dict": {...}}`                                      |
| bytes, array                 | `{"bytes": n}`, `{"array": n}`: number n of the arrays |
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any

from anagnorisisd import errors

HEAD = struct.Struct("<Q")
NUMBERS = {"<f4", "<f8", "<i4", "<i8", "|u1", "|b1"}
"""The types of arrays that are taken, as numpy writes them."""

PLAIN = (NoneType, bool, int, float, str)

Raw = tuple[str, tuple[int, ...], bytes]
"""Type, shape and content of an array."""


def encoded(value: Any) -> bytes:
    """Return a value as bytes.

    Raises:
        TypeError: it holds something else than the table has.
    """
    return _packed("value", value)


def encoded_error(error: Exception) -> bytes:
    """Return an error as bytes: our own whole, others by their name and text."""
    state = {key: value for key, value in vars(error).items() if isinstance(value, PLAIN)}
    texts = [value if isinstance(value, PLAIN) else str(value) for value in error.args]
    if isinstance(error, OSError) and error.errno is not None:
        texts = [error.errno, error.strerror]
    kind = type(error)
    base = next(one for one in kind.__mro__ if one.__module__ in ("builtins", errors.__name__))
    told = {"kind": kind.__name__, "base": base.__name__, "args": texts, "state": state}
    return _packed("error", told | {"text": str(error)})


def _packed(kind: str, value: Any) -> bytes:
    arrays: list[Raw] = []
    header = {kind: _header(value, arrays)}
    header["arrays"] = [[dtype, shape] for dtype, shape, _ in arrays]
    text = json.dumps(header).encode()
    return b"".join([HEAD.pack(len(text)), text, *(content for _, _, content in arrays)])


def _header(value: Any, arrays: list[Raw]) -> Any:
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, list | tuple):
        return [_header(each, arrays) for each in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a worker can only answer dicts of strings")
        return {"dict": {key: _header(each, arrays) for key, each in value.items()}}
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        return {"dict": {name: _header(getattr(value, name), arrays) for name in names}}
    if isinstance(value, bytes):
        arrays.append(("|u1", (len(value),), value))
        return {"bytes": len(arrays) - 1}
    return _numbers(value, arrays)


def _numbers(value: Any, arrays: list[Raw]) -> Any:
    """Return what stands for numpy's arrays and single numbers."""
    if getattr(getattr(value, "dtype", None), "str", None) not in NUMBERS:
        raise TypeError(f"a worker cannot answer a {type(value).__name__}")
    if not value.shape:
        return value.item()
    arrays.append((value.dtype.str, value.shape, value.tobytes()))
    return {"array": len(arrays) - 1}
