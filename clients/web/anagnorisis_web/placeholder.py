"""The picture that stands for a track without a cover: bars and colours that follow from its id."""

import hashlib

BARS = 9
SIZE = 96
LEFT, STEP, WIDTH = 16, 8, 4
"""Of the bars, in units of the picture."""


def draw(track_id: str) -> str:
    """Return a square picture as SVG; the same for the same track."""
    digest = hashlib.sha256(track_id.encode()).digest()
    hue = digest[0] * 360 // 256
    bars = "".join(
        f'<rect x="{LEFT + number * STEP - WIDTH // 2}" y="{(SIZE - height) / 2:g}" '
        f'width="{WIDTH}" height="{height}" rx="2"/>'
        for number, height in enumerate(8 + byte // 6 for byte in digest[1 : BARS + 1])
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}">'
        '<linearGradient id="a" x2="1" y2="1">'
        f'<stop stop-color="hsl({hue} 45% 38%)"/>'
        f'<stop offset="1" stop-color="hsl({(hue + 50) % 360} 50% 18%)"/></linearGradient>'
        f'<rect width="{SIZE}" height="{SIZE}" fill="url(#a)"/>'
        f'<g fill="hsl({hue} 60% 85%)" fill-opacity=".8">{bars}</g></svg>'
    )
