"""Reading the rating in a file's tags, in the form of any program that writes one.

| tag                                       | scale                                              |
|-------------------------------------------|----------------------------------------------------|
| FMPS_Rating (Vorbis, APE, ID3 TXXX, MP4)  | 0 to 1                                             |
| FMPS/Rating (ASF)                         | 0 to 1                                             |
| rating:EMAIL (Vorbis, Quod Libet)         | 0 to 1                                             |
| POPM (ID3, Quod Libet)                    | 0 to 255, linear                                   |
| POPM (ID3, other programs)                | 13, 1, 54, 64, 118, 128, 186, 196, 242, 255 for    |
|                                           | half to five stars; other values are linear        |
| WM/SharedUserRating (ASF)                 | 1, 25, 50, 75, 99 for one to five stars; other     |
|                                           | values for as many stars as Windows shows          |
| RATING (Vorbis, APE)                      | 0 to 1 if it has a decimal point and is at most 1, |
|                                           | as 0.8 or 1.0; else 0 to 5 stars, or 0 to 100      |
| rate (MP4)                                | 0 to 100                                           |

The first of these that a file has counts; in an MP3 file, ID3v2 before APEv2. A 0 in POPM or
WM/SharedUserRating means unrated.
"""

# mypy: disable-error-code="no-untyped-call"

import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import mutagen
from mutagen.apev2 import APEv2
from mutagen.mp3 import MP3

from anagnorisisd.domain.rating import HIGHEST, LOWEST
from anagnorisisd.library.file_access import TAG_SECONDS, BoundedFile, open_regular
from anagnorisisd.workers.resource_limits import CpuTimeExceeded, limit_cpu_time

POPM_STARS = {13: 0.5, 1: 1, 54: 1.5, 64: 2, 118: 2.5, 128: 3, 186: 3.5, 196: 4, 242: 4.5, 255: 5}
"""As MediaMonkey writes them; Windows Media Player and Winamp write those of whole stars."""
LINEAR_POPM_EMAIL = "quodlibet"


def read(path: str | Path) -> float | None:
    """Return the rating, 0 to 10, in the tags of a file, `None` if there is none.

    Runs in a worker process. Raises nothing: a file that cannot be read has no rating.
    """
    try:
        with open_regular(path) as file, limit_cpu_time(TAG_SECONDS):
            return _read(BoundedFile(file))
    except CpuTimeExceeded:
        return None
    except Exception:  # On damaged files, mutagen raises more than MutagenError.
        return None


def _read(bounded: BoundedFile) -> float | None:
    file: Any = mutagen.File(bounded)
    rating = _first_rating(file.tags if file is not None else None)
    if rating is None and isinstance(file, MP3):  # mutagen reads only its ID3 tags
        rating = _first_rating(_ape_tag(bounded))
    return rating


def _first_rating(tags: Any) -> float | None:
    """Return the first valid rating in the tags, `None` if there is none."""
    found = (value for value in _ratings(tags) if value is not None) if tags else iter(())
    return next((value for value in found if LOWEST <= value <= HIGHEST), None)


def _ape_tag(bounded: BoundedFile) -> Any:
    """Return the APEv2 tag of an MP3 file, `None` if it has none."""
    try:
        bounded.seek(0)
        return APEv2(bounded)
    except Exception:  # absent or damaged
        return None


def _ratings(tags: Any) -> Iterator[float | None]:
    """Yield the rating by each row of the table, in its order."""
    texts = _texts(tags)
    yield scale(texts.get("fmps_rating"), 10)
    for name, text in texts.items():
        if name.startswith("rating:"):
            yield scale(text, 10)
    for frame in getattr(tags, "getall", lambda _: ())("POPM"):
        yield _popm_rating(frame)
    yield _shared_user_rating(scale(texts.get("wm/shareduserrating"), 1))
    yield _plain_rating(texts.get("rating"))
    yield scale(texts.get("rate"), Decimal("0.1"))


def _texts(tags: Any) -> dict[str, str]:
    """Return the tags that may be ratings, by lower-case name."""
    texts: dict[str, str] = {}
    for name, value in tags.items():
        short = name.split(":")[-1] if name.startswith(("TXXX:", "----:")) else name
        if "rat" in short.lower():
            texts[short.lower().replace("fmps/", "fmps_")] = _text(value)
    return texts


def _text(value: Any) -> str:
    value = getattr(value, "text", value)
    first = value[0] if isinstance(value, list) and value else value
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def scale(text: str | None, factor: Decimal | int) -> float | None:
    """Return the number in `text` times `factor`, `None` if it is not a finite number."""
    try:
        # With floats, 0.73 would become 7.300000000000001.
        value = float(Decimal(text or "") * factor)
    except ArithmeticError:
        return None
    return value if math.isfinite(value) else None


def _plain_rating(text: str | None) -> float | None:
    value = scale(text, 1)
    if value is None:
        return None
    # Stars are written as 1, 4 or 4.5, so a number up to 1 with a decimal point is a fraction.
    if value <= 1 and "." in str(text):
        return scale(text, 10)
    return value * 2 if value <= 5 else value / 10


def _shared_user_rating(value: float | None) -> float | None:
    """Return the stars that Windows shows: 1 to 12 are one, 13 to 37 two, and so on to 99."""
    if value is None or not 1 <= value <= 99:
        return None
    return 2.0 * (1 + (int(value) + 12) // 25)


def _popm_rating(frame: Any) -> float | None:
    if not frame.rating:
        return None
    if LINEAR_POPM_EMAIL not in frame.email.lower() and frame.rating in POPM_STARS:
        return POPM_STARS[frame.rating] * 2
    return float(round(frame.rating / 255 * 10, 1))
