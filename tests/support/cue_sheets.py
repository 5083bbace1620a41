"""Music with cue sheets as programs write them, and as they should not be."""

from pathlib import Path

from tests.support.media import write_song


def track(number: int, title: str, *indexes: str) -> str:
    """Return a track of a sheet; each index is `NUMBER POSITION`."""
    lines = [f"  TRACK {number:02} AUDIO", f'    TITLE "{title}"', '    PERFORMER "Singer"']
    return (
        "\n".join([*lines, *(f"    INDEX {index}" for index in indexes or ["01 00:00:00"])]) + "\n"
    )


def image(file: str, *titles: str, kind: str = "WAVE") -> str:
    """Return the tracks of a file that begin four seconds after each other."""
    tracks = (
        track(number, title, f"01 00:{4 * (number - 1):02}:00")
        for number, title in enumerate(titles, start=1)
    )
    return f'FILE "{file}" {kind}\n' + "".join(tracks)


HEADER = 'PERFORMER "Band"\nTITLE "Album"\nREM DATE 1999\nREM GENRE Rock\n'
TWO = ("A", "B")
SHEETS: dict[str, bytes | str] = {
    "per track/disc.cue": HEADER
    + "".join(f'FILE "0{n}.flac" WAVE\n' + track(n, f"T{n}") for n in (1, 2, 3)),
    "image/album.cue": HEADER + image("album.flac", "One", "Two", "Three"),
    "mark/a.cue": ("\ufeff" + HEADER + image("a.flac", "Öne", "B")).encode(),
    "marked file/a.cue": ("\ufeff" + image("a.flac", *TWO)).encode(),
    "utf16/a.cue": ("\ufeff" + image("a.flac", *TWO)).encode("utf-16-le"),
    "latin/a.cue": image("ä.flac", *TWO).encode("latin-1"),
    "cyrillic/a.cue": image("a.flac", "Один", "Два").encode("cp1251"),
    "lines/a.cue": image("a.flac", *TWO).replace("\n", "\r\n"),
    "extension/a.cue": image("a.wav", *TWO),
    "case/a.cue": image("A.FLAC", *TWO),
    "windows/a.cue": image("C:\\Music\\a.flac", *TWO),
    "below/a.cue": image("b/a.flac", *TWO),
    "above/b/a.cue": image("../a.flac", *TWO),
    "sides/a.cue": image("a.flac", "A1", "A2") + 'FILE "b.flac" WAVE\n'
    + track(3, "B1") + track(4, "B2", "01 00:05:00"),
    "hidden/a.cue": 'FILE "a.flac" WAVE\n' + track(1, "One", "00 00:00:00", "01 00:03:00")
    + track(2, "Two", "00 00:06:00", "01 00:07:00"),
    "noncompliant/a.cue": 'FILE "a.flac" WAVE\n' + track(1, "One")
    + '  TRACK 02 AUDIO\n    TITLE "Two"\n    INDEX 00 00:05:00\nFILE "b.flac" WAVE\n'
    + "    INDEX 01 00:00:00\n",
    "missing/a.cue": image("nothing.flac", *TWO),
    "garbage/a.cue": bytes(range(256)) * 20,
    "beyond/a.cue": image("a.flac", "A", "B") + track(3, "C", "01 01:04:00"),
    "index/a.cue": 'FILE "a.flac" WAVE\n' + track(1, "A") + track(2, "B", "01 00:99:99")
    + track(3, "C", "01 x:y:z"),
    "empty/a.cue": "",
    "no tracks/a.cue": 'TITLE "x"\nFILE "a.flac" WAVE\n',
    "backwards/a.cue": 'FILE "a.flac" WAVE\n' + track(1, "A", "01 00:06:00")
    + track(2, "B", "01 00:03:00"),
    "two sheets/x.cue": image("a.flac", *TWO),
    "two sheets/y.cue": 'FILE "a.flac" WAVE\n' + track(1, "A") + track(2, "B", "01 00:06:00"),
    "upper/A.CUE": image("a.flac", *TWO),
    "data/a.cue": 'FILE "a.flac" WAVE\n' + track(1, "A")
    + "  TRACK 02 MODE1/2352\n    INDEX 01 00:04:00\n",
    "single/a.cue": image("a.flac", "A"),
    "numbers/a.cue": 'FILE "a.flac" WAVE\n' + track(7, "A") + track(9, "B", "01 00:04:00"),
    "mp3/a.cue": image("a.mp3", *TWO, kind="MP3"),
    "binary/a.cue": image("a.bin", *TWO, kind="BINARY"),
    "ignored audio/a.cue": image("a.flac", *TWO),
    "ignored sheet/a.cue": image("a.flac", *TWO),
}  # fmt: skip
AUDIO = (
    "per track/01.flac", "per track/02.flac", "per track/03.flac", "image/album.flac",
    "latin/ä.flac", "below/b/a.flac", "sides/b.flac", "noncompliant/b.flac",
    *(f"{name}/a.flac" for name in (
        "mark", "marked file", "utf16", "cyrillic", "lines", "extension", "case", "windows",
        "above", "sides", "hidden", "noncompliant", "missing", "garbage", "beyond", "index",
        "empty", "no tracks",
        "backwards", "two sheets", "upper", "data", "single", "numbers", "binary",
        "ignored audio", "ignored sheet",
    )), "mp3/a.mp3",
)  # fmt: skip


def write_cue_sheets(music: Path) -> None:
    """Write `SHEETS` and `AUDIO`, each file with a sound of its own."""
    for seed, uri in enumerate(AUDIO):
        write_song(music / uri, 1000 + seed, 12.0 if uri.startswith("image") else 8.0)
    for uri, text in SHEETS.items():
        path = music / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    (music / "ignored audio" / ".mpdignore").write_text("*.flac\n")
    (music / "ignored sheet" / ".mpdignore").write_text("*.cue\n")
