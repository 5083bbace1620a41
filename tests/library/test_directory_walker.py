"""What is found in a folder, and how that differs from what was known."""

import os
import unicodedata
from collections.abc import Collection
from pathlib import Path

import pytest

from anagnorisisd.domain.track import SeenFile, Uri
from anagnorisisd.library.directory_walker import (
    CopyPreference,
    Differences,
    DirectoryWalker,
    ExclusionRules,
)
from tests.support.folder import as_nobody


def known(*uris: str) -> set[SeenFile]:
    return {(uri.encode(), 1, 1) for uri in uris}


def compare(
    root: Path,
    knowledge: Collection[SeenFile] = (),
    *,
    below: str = "",
    exclude: tuple[str, ...] = (),
) -> Differences:
    walk = DirectoryWalker(str(root), ExclusionRules(("mp3", "ogg"), exclude), set(knowledge))
    if below:
        walk.walk_part(Uri(below))
    else:
        walk.walk_all()
    return walk.differences()


def make(root: Path, *uris: str) -> None:
    for uri in uris:
        path = root / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(root: Path, **options: tuple[str, ...]) -> set[str]:
    return set(compare(root, exclude=options.get("exclude", ())).changed)


def test_extension_in_any_case(tmp_path: Path) -> None:
    make(tmp_path, "a.mp3", "b/c/D.OGG", "cover.jpg", "mp3", "b/notes.mp3.txt")

    assert found(tmp_path) == {"a.mp3", "b/c/D.OGG"}


def test_names_that_begin_with_a_dot_are_found(tmp_path: Path) -> None:
    names = {"...And You/01.mp3", "..Hits/02.ogg", ".a.mp3", "c/.d/e.mp3"}
    make(tmp_path, *names)

    assert found(tmp_path) == names


def ignore(root: Path, *lines: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / ".mpdignore").write_text("\n".join(lines))


def problems(differences: Differences) -> dict[str, str | None]:
    return {file.uri: file.problem for file in differences.unusable}


def test_files_that_mpd_ignores_are_listed_with_the_reason(tmp_path: Path) -> None:
    make(tmp_path, "a/1.mp3", "a/2.mp3", "a/no.jpg", "a/b/1.mp3", "a/c/3.mp3", "1.mp3")
    ignore(tmp_path / "a", "[13].mp3", "c", "no.*")

    differences = compare(tmp_path)

    assert set(differences.changed) == {"a/2.mp3", "1.mp3"}
    assert problems(differences) == {
        "a/.mpdignore": "MPD ignores what it names: 2 files and 1 directory"
    }


def test_ignored_files_are_gone_and_back_with_the_mpdignore_file(tmp_path: Path) -> None:
    make(tmp_path, "a/1.mp3")
    ignore(tmp_path, "a")

    hidden = compare(tmp_path, known("a/1.mp3"))
    (tmp_path / ".mpdignore").unlink()
    shown = compare(tmp_path, known(".mpdignore"))

    assert (hidden.changed, hidden.gone) == ({}, ["a/1.mp3"])
    assert (set(shown.changed), shown.gone) == ({"a/1.mp3"}, [".mpdignore"])


def test_a_part_obeys_the_mpdignore_files_above_it(tmp_path: Path) -> None:
    make(tmp_path, "a/b/1.mp3", "a/b/2.mp3", "a/hidden/3.mp3")
    ignore(tmp_path, "2.mp3")
    ignore(tmp_path / "a", "hidden")

    part = compare(tmp_path, below="a/b")

    assert set(part.changed) == {"a/b/1.mp3"}
    assert problems(part) == {}  # those of the whole directory stay as they are
    for ignored in ("a/b/2.mp3", "a/hidden", "a/hidden/3.mp3"):
        assert compare(tmp_path, known(ignored), below=ignored).gone == [ignored]


def test_linked_directories_obey_the_mpdignore_files_above_the_link(tmp_path: Path) -> None:
    root = tmp_path / "music"
    make(tmp_path, "disk/1.mp3", "disk/2.mp3")
    make(root, "a.mp3")
    ignore(root, "1.*", "ignored link")
    (root / "link").symlink_to(tmp_path / "disk")
    (root / "ignored link").symlink_to(tmp_path)

    assert found(root) == {"a.mp3", "link/2.mp3"}


def test_unreadable_mpdignore_file_ignores_nothing(tmp_path: Path) -> None:
    make(tmp_path, "a/1.mp3", "b/1.mp3")
    (tmp_path / "a" / ".mpdignore").mkdir()
    (tmp_path / "b" / ".mpdignore").symlink_to(".mpdignore")

    differences = compare(tmp_path)

    assert set(differences.changed) == {"a/1.mp3", "b/1.mp3"}
    assert problems(differences) == {
        "a/.mpdignore": "not a regular file",
        "b/.mpdignore": "a symbolic link that leads to itself",
    }


def test_globs_exclude_names_and_paths(tmp_path: Path) -> None:
    make(tmp_path, "a.mp3", "Spoken/b.mp3", "x/Spoken/c.mp3", "x/y/d.mp3", "x/e (demo).mp3")

    assert found(tmp_path, exclude=("Spoken", "*(demo)*", "x/y")) == {"a.mp3"}
    assert found(tmp_path, exclude=("Spoken/*",)) == {
        "a.mp3", "x/Spoken/c.mp3", "x/y/d.mp3", "x/e (demo).mp3",
    }  # fmt: skip


def test_globs_exclude_either_form_of_unicode(tmp_path: Path) -> None:
    nfc, nfd = (unicodedata.normalize(form, "Hörbücher") for form in ("NFC", "NFD"))
    make(tmp_path, f"{nfd}/a.mp3", f"x/{nfc}/b.mp3", "c.mp3")

    assert found(tmp_path, exclude=(nfc, f"x/{nfd}")) == {"c.mp3"}


def test_names_with_odd_characters(tmp_path: Path) -> None:
    names = [b"\xff\xfe.mp3", b"two\nlines.mp3", b"a" * 251 + b".mp3", "ü☂.ogg".encode(), b"-.mp3"]
    for name in names:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(b"x")

    assert {os.fsencode(uri) for uri in found(tmp_path)} == set(names)


def test_unchanged_changed_gone_and_new_files(tmp_path: Path) -> None:
    make(tmp_path, "same.mp3", "other.mp3", "new.mp3")
    status = (tmp_path / "same.mp3").stat()
    same = (b"same.mp3", status.st_size, status.st_mtime_ns)

    differences = compare(tmp_path, {same, *known("other.mp3", "gone.mp3")})

    assert differences.found == 3
    assert differences.unchanged == 1
    assert set(differences.changed) == {"other.mp3", "new.mp3"}
    assert differences.gone == ["gone.mp3"]


def test_loop_of_links_ends(tmp_path: Path) -> None:
    make(tmp_path, "a/b.mp3")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "self.mp3").symlink_to("self.mp3")

    differences = compare(tmp_path)

    assert set(differences.changed) == {"a/b.mp3"}
    assert differences.linked == {}
    assert [file.problem for file in differences.unusable] == [
        "a symbolic link that leads to itself"
    ]


def test_linked_directory_is_followed_once(tmp_path: Path) -> None:
    root, disk = tmp_path / "music", tmp_path / "disk"
    make(root, "a.mp3")
    make(disk, "b.mp3", "sub/c.mp3")
    (root / "one").symlink_to(disk)
    (root / "two").symlink_to(disk)

    differences = compare(root)

    assert set(differences.changed) == {"a.mp3", "one/b.mp3", "one/sub/c.mp3"}
    assert differences.linked == {"one": str(disk)}


def test_real_directory_has_precedence_over_links_to_it(tmp_path: Path) -> None:
    make(tmp_path, "z/a.mp3")
    (tmp_path / "a-link").symlink_to("z")

    assert found(tmp_path) == {"z/a.mp3"}


def test_link_to_a_parent_of_the_root_adds_nothing_twice(tmp_path: Path) -> None:
    root = tmp_path / "music"
    make(root, "a.mp3")
    make(tmp_path, "other/b.mp3")
    (root / "up").symlink_to("..")

    assert found(root) == {"a.mp3", "up/other/b.mp3"}
    assert set(compare(root, below="up/other").changed) == {"up/other/b.mp3"}
    assert compare(root, below="up/music/a.mp3").changed == {}


def test_linked_files_and_broken_links(tmp_path: Path) -> None:
    make(tmp_path, "a.mp3")
    (tmp_path / "b.mp3").symlink_to("a.mp3")
    (tmp_path / "c.mp3").symlink_to("nowhere")
    (tmp_path / "d.txt").symlink_to("nowhere")

    differences = compare(tmp_path)

    assert set(differences.changed) == {"a.mp3", "b.mp3"}
    assert [(file.uri, file.problem) for file in differences.unusable] == [("c.mp3", "not found")]


def test_files_below_an_unreadable_directory_are_kept(tmp_path: Path) -> None:
    make(tmp_path, "a/open.mp3", "b/secret.mp3")
    (tmp_path / "b").chmod(0)

    with as_nobody(tmp_path):
        differences = compare(tmp_path, known("a/gone.mp3", "b/secret.mp3", "b/c/deep.mp3"))
    (tmp_path / "b").chmod(0o755)

    assert set(differences.changed) == {"a/open.mp3"}
    assert differences.gone == ["a/gone.mp3"]
    assert [(file.uri, file.problem) for file in differences.unusable] == [
        ("b", "directory: permission denied")
    ]
    assert differences.problem is None


def test_files_below_an_unreadable_root_are_kept(tmp_path: Path) -> None:
    root = tmp_path / "music"
    make(root, "a.mp3")
    root.chmod(0)

    with as_nobody(tmp_path):
        differences = compare(root, known("a.mp3"))
    root.chmod(0o755)

    assert differences.gone == []
    assert "permission denied" in (differences.problem or "")


def test_missing_root_has_lost_all_files(tmp_path: Path) -> None:
    differences = compare(tmp_path / "gone", known("a.mp3", "b/c.mp3"))

    assert sorted(differences.gone) == ["a.mp3", "b/c.mp3"]
    assert str(tmp_path / "gone") in (differences.problem or "")


def test_root_is_a_file(tmp_path: Path) -> None:
    make(tmp_path, "music")

    assert "not a directory" in (compare(tmp_path / "music").problem or "")


@pytest.mark.parametrize(
    ("below", "changed", "gone"),
    [
        ("a", {"a/1.mp3", "a/b/2.mp3"}, ["a/gone.mp3"]),
        ("a/1.mp3", {"a/1.mp3"}, []),
        ("a/gone.mp3", set(), ["a/gone.mp3"]),
        ("c", set(), []),
        ("a/notes.txt", set(), []),
        (".dot/x.mp3", {".dot/x.mp3"}, []),
    ],
)
def test_one_part_is_compared(
    below: str, changed: set[str], gone: list[str], tmp_path: Path
) -> None:
    make(tmp_path, "a/1.mp3", "a/b/2.mp3", "a/notes.txt", ".dot/x.mp3", "d.mp3")
    knowledge = {file for file in known("a/gone.mp3") if file[0].startswith(below.encode())}

    differences = compare(tmp_path, knowledge, below=below)

    assert set(differences.changed) == changed
    assert differences.gone == gone


def test_links_are_not_followed_in_a_part(tmp_path: Path) -> None:
    root, disk = tmp_path / "music", tmp_path / "disk"
    make(disk, "b.mp3")
    make(root, "a/x.mp3")
    (root / "a" / "link").symlink_to(disk)

    differences = compare(root, known("a/link/b.mp3"), below="a")

    assert set(differences.changed) == {"a/x.mp3"}
    assert differences.gone == []
    assert differences.linked == {"a/link": str(disk)}
    assert compare(root, below="a/link").linked == {"a/link": str(disk)}


@pytest.mark.parametrize(
    ("uri", "rank"),
    [("Albums/a.mp3", 0), ("x/a.flac", 1), ("Albums/a.flac", 0), ("x/Albums/a.mp3", 2)],
)
def test_preference_among_copies(uri: str, rank: int) -> None:
    assert CopyPreference(["Albums/*", "*.flac"]).rank(Uri(uri)) == rank
