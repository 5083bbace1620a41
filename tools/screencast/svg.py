"""Draws frames as one SVG that moves by itself, without scripts and without foreign fonts."""

import io
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console

from tools.screencast.terminal import COLUMNS, ROWS, Frame

FRAGMENT = """\
<style>{styles}
.{unique_id}-matrix {{ font-size: {char_height}px; line-height: {line_height}px; }}
</style>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
<g class="frame {unique_id}" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
"""
CHAR_WIDTH, LINE_HEIGHT, MARGIN, HEAD = 12.2, 24.4, 18, 44
"""Pixels; rich's own, and the window around them."""

FONTS = "'Fira Code', 'DejaVu Sans Mono', Menlo, Consolas, monospace"


class Shot(NamedTuple):
    """A frame, and for how long it is shown."""

    frame: Frame
    seconds: float


def svg(shots: Sequence[Shot], title: str) -> str:
    """Return the recording. Where nothing moves, the last frame is seen."""
    width = COLUMNS * CHAR_WIDTH + 2 * MARGIN
    height = ROWS * LINE_HEIGHT + HEAD + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">',
        f"<title>{title}</title>",
        f"<style>text {{ font-family: {FONTS}; white-space: pre }}",
        *_timing(shots),
        "</style>",
        f'<rect width="{width:g}" height="{height:g}" rx="10" fill="#292929"/>',
        *(
            f'<circle cx="{24 + 20 * place}" cy="22" r="6" fill="{colour}"/>'
            for place, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        ),
        f'<text x="{width / 2:g}" y="28" fill="#c5c8c6" font-size="17" text-anchor="middle">'
        f"{title}</text>",
        f'<g transform="translate({MARGIN} {HEAD})">',
        *(_fragment(shot.frame, f"f{number}") for number, shot in enumerate(shots)),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _timing(shots: Sequence[Shot]) -> list[str]:
    total = sum(shot.seconds for shot in shots)
    last = len(shots) - 1
    rules = [f".frame {{ visibility: hidden }} .f{last} {{ visibility: visible }}"]
    moving = ["@media (prefers-reduced-motion: no-preference) {"]
    at = 0.0
    for number, shot in enumerate(shots):
        begin, end = 100 * at / total, 100 * (at + shot.seconds) / total
        hidden = "visibility: hidden"
        moving.append(
            f"@keyframes k{number} {{ 0% {{ {hidden} }} {begin:.2f}% {{ visibility: visible }} "
            f"{end:.2f}%, 100% {{ {'visibility: visible' if number == last else hidden} }} }} "
            f".f{number} {{ animation: k{number} {total:g}s step-end infinite }}"
        )
        at += shot.seconds
    return [*rules, *moving, "}"]


def _fragment(frame: Frame, name: str) -> str:
    console = Console(
        width=COLUMNS,
        record=True,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    for line in frame:
        console.print(line, no_wrap=True, overflow="crop", crop=True)
    return console.export_svg(code_format=FRAGMENT, unique_id=name)
