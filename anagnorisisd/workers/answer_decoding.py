"""Decoding of a worker's answer, without unpickling.

`decode` turns the bytes into plain values and numeric arrays, or raises the encoded exception.
`converter` returns the function that checks plain values against a type and builds dataclasses.
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
from anagnorisisd.workers.answer_encoding import ARRAY_TYPES, LENGTH, PLAIN_TYPES

MAX_HEADER_BYTES = 32 << 20
"""Parsed JSON takes up to twenty times its size; the largest header of a report is a few MB."""

Converter = Callable[[Any], Any]
"""Returns the converted value; raises `InvalidAnswer` for a value of another type."""


class InvalidAnswer(Exception):
    """The bytes are not an encoded answer, or the value is not of the expected type."""


def decode(content: bytes, convert: Converter | None = None) -> Any:
    """Return the encoded value, converted by `convert`.

    Raises:
        InvalidAnswer: the bytes are not an encoded answer, or `convert` rejects the value.
        Exception: the exception that was encoded.
    """
    try:
        header, arrays = _unpack(content)
        if set(header) == {"error"}:
            error = _exception(_plain_value(header["error"], arrays))
        else:
            value = _plain_value(header["value"], arrays)
            return value if convert is None else convert(value)
    except InvalidAnswer:
        raise
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, struct.error) as cause:
        raise InvalidAnswer(f"{type(cause).__name__}: {cause}") from None
    raise error


def _unpack(content: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    (length,) = LENGTH.unpack_from(content)
    offset = LENGTH.size + length
    if length > MAX_HEADER_BYTES or offset > len(content):
        raise InvalidAnswer("the header is truncated or too large")
    header = json.loads(content[LENGTH.size : offset])
    arrays = []
    for kind, shape in header.pop("arrays"):
        if kind not in ARRAY_TYPES or not all(type(size) is int and size >= 0 for size in shape):
            raise InvalidAnswer("an array has an unknown type or an invalid shape")
        count = math.prod(shape)
        dtype = np.dtype(kind)
        # Checked before numpy sees the shape, which may ask for any amount of memory.
        if offset + count * dtype.itemsize > len(content):
            raise InvalidAnswer("an array is truncated")
        arrays.append(np.frombuffer(content, dtype, count, offset).reshape(shape).copy())
        offset += count * dtype.itemsize
    if offset != len(content) or len(header) != 1:
        raise InvalidAnswer("there is data after the answer")
    return header, arrays


def _plain_value(value: Any, arrays: Sequence[NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_plain_value(each, arrays) for each in value]
    if isinstance(value, dict):
        ((kind, inner),) = value.items()
        if kind == "dict":
            return {key: _plain_value(each, arrays) for key, each in inner.items()}
        if kind not in ("bytes", "array") or type(inner) is not int or inner < 0:
            raise InvalidAnswer("an object is of an unknown kind")
        return arrays[inner].tobytes() if kind == "bytes" else arrays[inner]
    return value


def _exception(fields: Mapping[str, Any]) -> Exception:
    """Return an exception of `anagnorisisd.errors` or `builtins`; others become `RuntimeError`."""
    kind, base, text = (_string(fields[key]) for key in ("kind", "base", "text"))
    args, state = fields["args"], fields["state"]
    if not all(isinstance(each, PLAIN_TYPES) for each in (*args, *state.values())):
        raise InvalidAnswer("an error holds values that are not plain")
    for module in (errors, builtins):
        known = getattr(module, kind, None) or getattr(module, base, None)
        if not (isinstance(known, type) and issubclass(known, Exception)):
            continue
        if issubclass(known, errors.AnagnorisisError):
            error: Exception = known.__new__(known, *args)
            error.__dict__.update(state)
            return error
        if kind == base and _accepts_text(known):
            return known(*args)
        if issubclass(known, OSError | MemoryError):
            return known(*args)
    return RuntimeError(f"{kind}: {text}")


def _accepts_text(known: type[Exception]) -> bool:
    return not issubclass(known, BaseExceptionGroup | UnicodeError | ImportError | SyntaxError)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidAnswer(f"expected str, got {type(value).__name__}")
    return value


@cache
def converter(kind: Any) -> Converter:
    """Return the converter of plain values to the type `kind`.

    Supported are dataclasses, named tuples, enums, `list`, `tuple`, `dict`, unions, `NewType`,
    numpy arrays and plain types.
    """
    if hasattr(kind, "__supertype__"):
        return converter(kind.__supertype__)
    if get_origin(kind) is not None:
        return _generic_converter(get_origin(kind), get_args(kind))
    if kind is float:
        return _to_float
    if isinstance(kind, type) and issubclass(kind, tuple):
        hints = get_type_hints(kind)
        return _tuple_converter(
            [converter(each) for each in hints.values()], lambda values: kind(*values)
        )
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum_converter(kind)
    return _dataclass_converter(kind) if is_dataclass(kind) else _exact_type(kind)


def _generic_converter(origin: Any, args: tuple[Any, ...]) -> Converter:
    if origin in (Union, UnionType):
        return _union_converter([converter(each) for each in args])
    if hasattr(origin, "__value__"):  # a generic type alias, as NDArray is with numpy 2.5
        return converter(origin.__value__[args])
    if origin is np.ndarray:
        return _array_converter(np.dtype(get_args(args[1])[0]))
    if origin in (list, Sequence) or args[1:] == (...,):
        return _list_converter(converter(args[0]), tuple if origin is tuple else list)
    if origin is tuple:
        return _tuple_converter([converter(each) for each in args], tuple)
    assert issubclass(origin, Mapping), f"{origin} is not supported in answers"
    return _dict_converter(converter(args[1]))


def _exact_type(kind: type) -> Converter:
    # `type() is`, since True is also an instance of int.
    def convert(value: Any) -> Any:
        if type(value) is not kind:
            raise InvalidAnswer(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return convert


def _enum_converter(kind: type[Enum]) -> Converter:
    def convert(value: Any) -> Enum:
        try:
            return kind(value)
        except ValueError:
            raise InvalidAnswer(f"not a value of {kind.__name__}") from None

    return convert


def _to_float(value: Any) -> float:
    if type(value) not in (int, float):
        raise InvalidAnswer(f"expected a number, got {type(value).__name__}")
    return float(value)


def _union_converter(converters: Sequence[Converter]) -> Converter:
    def convert(value: Any) -> Any:
        for each in converters:
            try:
                return each(value)
            except InvalidAnswer as error:
                last = error
        raise last

    return convert


def _array_converter(dtype: np.dtype[Any]) -> Converter:
    def convert(value: Any) -> Any:
        if not isinstance(value, np.ndarray) or value.dtype != dtype:
            raise InvalidAnswer(f"expected an array of {dtype}, got {type(value).__name__}")
        return value

    return convert


def _list_converter(element: Converter, build: Callable[[Any], Any]) -> Converter:
    to_list = _exact_type(list)
    return lambda value: build(element(each) for each in to_list(value))


def _tuple_converter(elements: Sequence[Converter], build: Callable[[Any], Any]) -> Converter:
    to_list = _exact_type(list)

    def convert(value: Any) -> Any:
        if len(to_list(value)) != len(elements):
            raise InvalidAnswer(f"expected {len(elements)} values, got {len(value)}")
        return build([each(item) for each, item in zip(elements, value, strict=True)])

    return convert


def _dict_converter(element: Converter) -> Converter:
    to_dict = _exact_type(dict)
    return lambda value: {key: element(each) for key, each in to_dict(value).items()}


def _dataclass_converter(kind: Any) -> Converter:
    converters = {name: converter(hint) for name, hint in get_type_hints(kind).items()}
    to_dict = _exact_type(dict)

    def convert(value: Any) -> Any:
        if to_dict(value).keys() != converters.keys():
            raise InvalidAnswer(f"the fields are not those of {kind.__name__}")
        return kind(**{name: each(value[name]) for name, each in converters.items()})

    return convert
