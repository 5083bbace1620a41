"""Ranges of bytes in requests, by RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisis_web import byte_range
from anagnorisis_web.byte_range import ByteRange, Unsatisfiable


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-499", ByteRange(0, 500)),
        ("bytes=500-999", ByteRange(500, 500)),
        ("bytes=-500", ByteRange(9500, 500)),
        ("bytes=9500-", ByteRange(9500, 500)),
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=-20000", ByteRange(0, 10000)),
        ("bytes=9999-20000", ByteRange(9999, 1)),
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=5-4", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=\u0660-\u0661", None),
    ],
)
def test_ranges_of_a_file_of_10000_bytes(header: str, expected: ByteRange | None) -> None:
    assert byte_range.parse(header, 10_000) == expected


@pytest.mark.parametrize("header", ["bytes=10000-", "bytes=10000-10001", "bytes=-0"])
def test_ranges_outside_the_file(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        byte_range.parse(header, 10_000)


@given(
    st.text("bytes=-,0123456789 ", max_size=20) | st.from_regex(r"bytes=\d{0,9}-\d{0,9}"),
    st.integers(1, 10**9),
)
def test_every_range_lies_in_the_file(header: str, total: int) -> None:
    try:
        found = byte_range.parse(header, total)
    except Unsatisfiable:
        return
    if found:
        assert 0 <= found.offset < found.offset + found.length <= total
