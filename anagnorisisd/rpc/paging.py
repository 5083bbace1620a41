"""Page tokens: opaque to callers, and valid only for the request that returned them."""

import base64
import binascii
import hashlib
import struct

from anagnorisisd.errors import InvalidValue

MAX_POSITION = 2**53
"""Larger than any list; adding a page size does not overflow 2^63."""

CHECKSUM_BYTES = 8

_LAYOUT = struct.Struct(f">q{CHECKSUM_BYTES}s")


def token(position: int, *scope: object) -> str:
    """Return a token for the entries after `position`; `scope` holds the request's other fields."""
    packed = _LAYOUT.pack(position, _checksum(position, scope))
    return base64.urlsafe_b64encode(packed).decode()


def position(text: str, *scope: object) -> int | None:
    """Return the position in a token, or `None` for the first page.

    Raises:
        InvalidValue: the token is malformed, or belongs to another request.
    """
    if not text:
        return None
    try:
        found, checksum = _LAYOUT.unpack(base64.urlsafe_b64decode(text))
    except (ValueError, binascii.Error, struct.error):
        found, checksum = -1, b""
    if not 0 <= found <= MAX_POSITION or checksum != _checksum(found, scope):
        raise InvalidValue("page_token", "not a token of this list; start with an empty one")
    return int(found)


def key_token(key: bytes, *scope: object) -> str:
    """Return a token for the entries after the entry with this key."""
    return base64.urlsafe_b64encode(_checksum(key, scope) + key).decode()


def key(text: str, *scope: object) -> bytes | None:
    """Return the key in a token, or `None` for the first page.

    Raises:
        InvalidValue: the token is malformed, or belongs to another request.
    """
    if not text:
        return None
    try:
        packed = base64.urlsafe_b64decode(text)
    except (ValueError, binascii.Error):
        packed = b""
    checksum, found = packed[:CHECKSUM_BYTES], packed[CHECKSUM_BYTES:]
    if checksum != _checksum(found, scope):
        raise InvalidValue("page_token", "not a token of this list; start with an empty one")
    return found


def _checksum(position: int | bytes, scope: tuple[object, ...]) -> bytes:
    # A hash without a key detects mistakes. It need not stop forgery: every caller may list
    # everything.
    return hashlib.blake2b(repr((position, scope)).encode(), digest_size=CHECKSUM_BYTES).digest()
