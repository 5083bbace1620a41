"""Files that MPD ignores or that one might think it ignores, by their names and `.mpdignore`."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.media import write_song

IGNORE_FILES: Mapping[str, str] = {
    "names": "skip.ogg\nsub2\n",
    "star": "*\n",
    "path": "sub/a.ogg\n",
    "comment": "# a.ogg\nb#c.ogg\n  d.ogg  # e\n",
    "slash": "sub/\n/a.ogg\n",
    "class": "a[0-9].ogg\nb[!0-9].ogg\nc[[:alpha:]].ogg\na??.ogg\n",
    "case": "a.ogg\n",
    "dots": "*.ogg\n",
    "negated": "*.ogg\n!a.ogg\n",
    "brace": "{a,b}.ogg\n",
    "crlf": "a.ogg\r\nb.ogg\r\n",
    "space": "a b.ogg\n c.ogg\n",
    "escape": "a\\*.ogg\n\\#x.ogg\n",
    "letter": "?.ogg\n",
}
"""The text of the `.mpdignore` file, by directory."""

SONGS = (
    "names/keep.ogg", "names/skip.ogg", "names/sub/skip.ogg", "names/sub/keep.ogg",
    "names/sub2/x.ogg", "star/a.ogg", "star/sub/a.ogg", "path/sub/a.ogg", "path/sub/b.ogg",
    "comment/a.ogg", "comment/b#c.ogg", "comment/d.ogg", "slash/sub/a.ogg", "slash/a.ogg",
    "class/a1.ogg", "class/ab.ogg", "class/axx.ogg", "class/b1.ogg", "class/bx.ogg",
    "class/cx.ogg", "case/A.ogg", "dots/.hidden.ogg", "negated/a.ogg", "negated/b.ogg",
    "brace/a.ogg", "crlf/a.ogg", "crlf/b.ogg", "space/a b.ogg", "space/c.ogg", "escape/a*.ogg",
    "escape/ab.ogg", "escape/#x.ogg", "letter/ä.ogg", "letter/bb.ogg", "...And You/01.ogg",
    "..Hits/02.ogg", ".hidden/a.ogg", "begin/.x.ogg", "begin/..y.ogg", "begin/...z.ogg", ".z.ogg",
)  # fmt: skip


def write_ignored(music: Path) -> None:
    """Write `SONGS` and `IGNORE_FILES`."""
    song = write_song(music / SONGS[0], seconds=0.2).read_bytes()
    for uri in SONGS:
        path = music / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(song)
    for directory, text in IGNORE_FILES.items():
        (music / directory / ".mpdignore").write_text(text, newline="")
