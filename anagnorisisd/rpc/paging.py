"""Page tokens: opaque to callers, bound to the request they came from, and checked."""

import base64
import binascii
import hashlib
import struct

from anagnorisisd.errors import InvalidValue

LARGEST_POSITION = 2**53
"""Beyond any list, and far enough below 2^63 that a page may be added to it."""

SEAL_BYTES = 8

_LAYOUT = struct.Struct(f">q{SEAL_BYTES}s")


def token(position: int, *scope: object) -> str:
    """Return a token for what follows `position`; `scope` are the request's other fields."""
    packed = _LAYOUT.pack(position, _seal(position, scope))
    return base64.urlsafe_b64encode(packed).decode()


def position(text: str, *scope: object) -> int | None:
    """Return the position in a token, or `None` for the first page.

    Raises:
        InvalidValue: the token is none of ours, or belongs to another request.
    """
    if not text:
        return None
    try:
        found, seal = _LAYOUT.unpack(base64.urlsafe_b64decode(text))
    except (ValueError, binascii.Error, struct.error):
        found, seal = -1, b""
    if not 0 <= found <= LARGEST_POSITION or seal != _seal(found, scope):
        raise InvalidValue("page_token", "not a token of this list; start with an empty one")
    return int(found)


def key_token(key: bytes, *scope: object) -> str:
    """Return a token for what follows the entry with this key."""
    return base64.urlsafe_b64encode(_seal(key, scope) + key).decode()


def key(text: str, *scope: object) -> bytes | None:
    """Return the key in a token, or `None` for the first page.

    Raises:
        InvalidValue: the token is none of ours, or belongs to another request.
    """
    if not text:
        return None
    try:
        packed = base64.urlsafe_b64decode(text)
    except (ValueError, binascii.Error):
        packed = b""
    seal, found = packed[:SEAL_BYTES], packed[SEAL_BYTES:]
    if seal != _seal(found, scope):
        raise InvalidValue("page_token", "not a token of this list; start with an empty one")
    return found


def _seal(position: int | bytes, scope: tuple[object, ...]) -> bytes:
    # Guards against mistakes, not against malice: whoever may call may list everything anyway.
    return hashlib.blake2b(repr((position, scope)).encode(), digest_size=SEAL_BYTES).digest()
