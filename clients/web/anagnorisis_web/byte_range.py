"""The header `Range` of HTTP, for one range of bytes (RFC 9110, section 14)."""

import re
from typing import NamedTuple

ONE_RANGE = re.compile(r"bytes\s*=\s*(?:(\d{1,18})\s*-\s*(\d{1,18})?|-\s*(\d{1,18}))\s*", re.ASCII)


class ByteRange(NamedTuple):
    """A range of a file, in bytes; `length` is 1 or above."""

    offset: int
    length: int


class Unsatisfiable(Exception):
    """The range has no byte of the file; the answer is 416."""


def parse(header: str, total: int) -> ByteRange | None:
    """Return the range that a header names in a file of `total` bytes.

    `None` stands for the whole file: without a header, and where a server may ignore it, as it is
    malformed, or has several ranges or another unit.

    Raises:
        Unsatisfiable: the file has no such bytes.
    """
    found = ONE_RANGE.fullmatch(header.strip())
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        length = min(int(suffix), total)
        offset = total - length
    else:
        offset = int(first)
        end = total - 1 if last is None else min(int(last), total - 1)
        if last is not None and int(last) < offset:
            return None
        length = end - offset + 1
    if length <= 0:
        raise Unsatisfiable
    return ByteRange(offset, length)
