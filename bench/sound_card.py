"""Takes 16-bit stereo at 44.1 kHz from standard input as a sound card does, and counts gaps.

    python sound_card.py FILE

The buffer holds half a second, ALSA's default. When it runs empty, that is a gap (an underrun), and
it begins anew. FILE gets the seconds played, the number of gaps, and the lowest level in seconds.
"""

import sys
import time
from pathlib import Path

BYTES_PER_SECOND = 44_100 * 4
BUFFER_SECONDS = 0.5
PERIOD_BYTES = BYTES_PER_SECOND // 100


def play(report: Path) -> None:
    """Read until the end of the stream."""
    new = report.with_suffix(".new")
    gaps, lowest, played = 0, BUFFER_SECONDS, 0.0
    began: float | None = None  # when playback of the present buffer started
    buffered = 0.0  # seconds read since then
    while data := sys.stdin.buffer.read(PERIOD_BYTES):
        now = time.monotonic()
        seconds = len(data) / BYTES_PER_SECOND
        if began is not None and now - began > buffered:
            gaps, lowest = gaps + 1, 0.0
            began, buffered = None, 0.0
        buffered += seconds
        played += seconds
        if began is None:
            if buffered >= BUFFER_SECONDS:
                began = now
            continue
        level = buffered - (now - began)
        lowest = min(lowest, level - seconds)
        new.write_text(f"{played:.2f} {gaps} {max(0.0, lowest):.3f}\n")
        new.replace(report)
        if level > BUFFER_SECONDS:
            time.sleep(level - BUFFER_SECONDS)


if __name__ == "__main__":
    play(Path(sys.argv[1]))
