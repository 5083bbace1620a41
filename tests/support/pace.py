"""Takes 16-bit stereo at 44.1 kHz from standard input, `sys.argv[1]` times as fast as it sounds."""

import sys
import time

BYTES_PER_SECOND = 44_100 * 4
CHUNK = 4_096


def consume(rate: float) -> None:
    """Read until the end; after a break of the stream the pace starts anew."""
    due = time.monotonic()
    while data := sys.stdin.buffer.raw.read(CHUNK):  # type: ignore[union-attr]
        now = time.monotonic()
        due = max(due, now - 0.05) + len(data) / (BYTES_PER_SECOND * rate)
        if due > now:
            time.sleep(due - now)


if __name__ == "__main__":
    consume(float(sys.argv[1]))
