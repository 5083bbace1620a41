"""Reading what a worker answered: checked, and never unpickled.

`decoded` makes plain values and arrays of numbers of the bytes, or one of the errors that may come;
`checker` makes the dataclasses of the domain of plain values, or refuses.
"""

import builtins
import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from anagnorisisd import errors
from anagnorisisd.workers.answer_encoding import HEAD, NUMBERS, PLAIN

LARGEST_HEADER_BYTES = 32 << 20
"""Read as JSON, a byte can become twenty; the largest honest one is a report of a few megabytes."""

Check = Callable[[Any], Any]


class Nonsense(Exception):
    """The bytes are no answer, or not one of the kind that was asked for."""


def decoded(content: bytes, check: Check | None = None) -> Any:
    """Return the value that was encoded, checked by `check`.

    Raises:
        Nonsense: these bytes are no answer, or `check` refuses it.
        Exception: the error that was encoded.
    """
    try:
        header, arrays = _unpacked(content)
        if set(header) == {"error"}:
            error = _error(_plain(header["error"], arrays))
        else:
            value = _plain(header["value"], arrays)
            return value if check is None else check(value)
    except Nonsense:
        raise
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, struct.error) as wrong:
        raise Nonsense(f"{type(wrong).__name__}: {wrong}") from None
    raise error


def _unpacked(content: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    (length,) = HEAD.unpack_from(content)
    at = HEAD.size + length
    if length > LARGEST_HEADER_BYTES or at > len(content):
        raise Nonsense("the header is cut off, or too large")
    header = json.loads(content[HEAD.size : at])
    arrays = []
    for kind, shape in header.pop("arrays"):
        if kind not in NUMBERS or not all(type(size) is int and size >= 0 for size in shape):
            raise Nonsense("an array of a kind that is not taken")
        count = math.prod(shape)
        dtype = np.dtype(kind)
        if at + count * dtype.itemsize > len(content):
            raise Nonsense("an array is cut off")
        arrays.append(np.frombuffer(content, dtype, count, at).reshape(shape).copy())
        at += count * dtype.itemsize
    if at != len(content) or len(header) != 1:
        raise Nonsense("there is more than an answer")
    return header, arrays


def _plain(value: Any, arrays: Sequence[NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_plain(each, arrays) for each in value]
    if isinstance(value, dict):
        ((kind, inner),) = value.items()
        if kind == "dict":
            return {key: _plain(each, arrays) for key, each in inner.items()}
        if kind not in ("bytes", "array") or type(inner) is not int or inner < 0:
            raise Nonsense("an object of a kind that is not taken")
        return arrays[inner].tobytes() if kind == "bytes" else arrays[inner]
    return value


def _error(told: Mapping[str, Any]) -> Exception:
    """Return one of our own errors or of Python's; another is told in words."""
    kind, base, text = (_text(told[key]) for key in ("kind", "base", "text"))
    args, state = told["args"], told["state"]
    if not all(isinstance(each, PLAIN) for each in (*args, *state.values())):
        raise Nonsense("an error that holds something else than plain values")
    for module in (errors, builtins):
        known = getattr(module, kind, None) or getattr(module, base, None)
        if not (isinstance(known, type) and issubclass(known, Exception)):
            continue
        if issubclass(known, errors.AnagnorisisError):
            error: Exception = known.__new__(known, *args)
            error.__dict__.update(state)
            return error
        if kind == base and _takes_text(known):
            return known(*args)
        if issubclass(known, OSError | MemoryError):
            return known(*args)
    return RuntimeError(f"{kind}: {text}")


def _takes_text(known: type[Exception]) -> bool:
    return not issubclass(known, BaseExceptionGroup | UnicodeError | ImportError | SyntaxError)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Nonsense(f"a {type(value).__name__} where a text belongs")
    return value


@cache
def checker(kind: Any) -> Check:
    """Return what makes a value of the type `kind` of a plain one, or raises `Nonsense`.

    It knows dataclasses, named tuples, `list`, `tuple`, `dict`, unions, new types, arrays and plain
    types.
    """
    if hasattr(kind, "__supertype__"):
        return checker(kind.__supertype__)
    if get_origin(kind) is not None:
        return _generic(get_origin(kind), get_args(kind))
    if kind is float:
        return _float
    if isinstance(kind, type) and issubclass(kind, tuple):
        hints = get_type_hints(kind)
        return _tuple([checker(each) for each in hints.values()], lambda values: kind(*values))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    return _dataclass(kind) if is_dataclass(kind) else _exactly(kind)


def _generic(origin: Any, args: tuple[Any, ...]) -> Check:
    if origin in (Union, UnionType):
        return _union([checker(each) for each in args])
    if origin is np.ndarray:
        return _array(np.dtype(get_args(args[1])[0]))
    if origin is tuple:
        return _tuple([checker(each) for each in args], tuple)
    if origin in (list, Sequence):
        return _list(checker(args[0]))
    assert issubclass(origin, Mapping), f"{origin} is not a type of answers"
    return _dict(checker(args[1]))


def _exactly(kind: type) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise Nonsense(f"a {type(value).__name__} where a {kind.__name__} belongs")
        return value

    return check


def _enum(kind: type[Enum]) -> Check:
    def check(value: Any) -> Enum:
        try:
            return kind(value)
        except ValueError:
            raise Nonsense(f"no {kind.__name__}") from None

    return check


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise Nonsense(f"a {type(value).__name__} where a number belongs")
    return float(value)


def _union(checks: Sequence[Check]) -> Check:
    def check(value: Any) -> Any:
        for each in checks:
            try:
                return each(value)
            except Nonsense as error:
                last = error
        raise last

    return check


def _array(dtype: np.dtype[Any]) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, np.ndarray) or value.dtype != dtype:
            raise Nonsense(f"no array of {dtype}")
        return value

    return check


def _list(each: Check) -> Check:
    whole = _exactly(list)
    return lambda value: [each(one) for one in whole(value)]


def _tuple(checks: Sequence[Check], made: Callable[[Any], Any]) -> Check:
    whole = _exactly(list)

    def check(value: Any) -> Any:
        if len(whole(value)) != len(checks):
            raise Nonsense(f"{len(value)} values where {len(checks)} belong")
        return made([each(one) for each, one in zip(checks, value, strict=True)])

    return check


def _dict(each: Check) -> Check:
    whole = _exactly(dict)
    return lambda value: {key: each(one) for key, one in whole(value).items()}


def _dataclass(kind: Any) -> Check:
    checks = {name: checker(hint) for name, hint in get_type_hints(kind).items()}
    whole = _exactly(dict)

    def check(value: Any) -> Any:
        if whole(value).keys() != checks.keys():
            raise Nonsense(f"not the fields of a {kind.__name__}")
        return kind(**{name: each(value[name]) for name, each in checks.items()})

    return check
