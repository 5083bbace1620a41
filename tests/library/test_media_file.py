"""One file, read once: music, or a reason."""

import os
import socket
import struct
from pathlib import Path
from typing import BinaryIO

import pytest

from anagnorisisd.domain.track import NOT_READ, FileStamp, ScannedFile, Uri
from anagnorisisd.library import audio_hash, media_file
from anagnorisisd.library.media_file import read, read_many
from anagnorisisd.workers.resource_limits import CpuTimeExceeded
from tests.support.folder import as_nobody
from tests.support.media import retag, write_song

URI = Uri("song")


def problem_of(path: Path) -> str | None:
    file = read(str(path), URI)
    assert file is not None
    assert file.track_id is None
    return file.problem


def test_song_is_read_with_its_stamp(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.opus", seconds=1)
    retag(song, "A Title")

    file = read(str(song), URI)

    assert file is not None
    status = song.stat()
    assert file.stamp == FileStamp(status.st_size, status.st_mtime_ns)
    assert file.track_id is not None
    assert file.tags.title == "A Title"
    assert file.duration_seconds == pytest.approx(1, abs=0.1)
    assert file.problem is None


def test_gone_file_is_left_out(tmp_path: Path) -> None:
    write_song(tmp_path / "here.opus")

    files = read_many(str(tmp_path), [Uri("gone.opus"), Uri("here.opus")])

    assert [file.uri for file in files] == ["here.opus"]


def test_empty_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp3"
    empty.touch()

    assert problem_of(empty) == "empty file"


def test_text_with_a_music_extension(tmp_path: Path) -> None:
    letter = tmp_path / "letter.mp3"
    letter.write_text("Dear Sir, " * 100)

    assert (problem_of(letter) or "").startswith("not audio")


def test_truncated_song(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.m4a", seconds=2)
    song.write_bytes(song.read_bytes()[:8000])

    assert (problem_of(song) or "").startswith("truncated")


def test_named_pipe_does_not_block(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp3"
    os.mkfifo(pipe)

    assert problem_of(pipe) == "not a regular file"


def test_directory_and_socket_with_a_music_extension(tmp_path: Path) -> None:
    folder = tmp_path / "folder.mp3"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.mp3"))

        assert problem_of(tmp_path / "socket.mp3")
    assert problem_of(folder)


def test_loop_of_links(tmp_path: Path) -> None:
    loop = tmp_path / "loop.mp3"
    loop.symlink_to(loop)

    assert problem_of(loop) == "a symbolic link that leads to itself"


def test_forbidden_file_is_retried(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3")
    song.chmod(0)

    with as_nobody(tmp_path):
        file = read(str(song), URI)

    assert file == ScannedFile(URI, NOT_READ, None, problem="permission denied")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (struct.error("unpack requires 4 bytes"), "its parser failed: error: unpack requires"),
        (RecursionError("too deep"), "its parser failed: RecursionError: too deep"),
        (ValueError("x" * 10_000), "its parser failed: ValueError: xxx"),
        (OverflowError(), "its parser failed: OverflowError"),
        (MemoryError(), "takes too much memory"),
        (CpuTimeExceeded(), "takes too much CPU time"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parser_error_affects_one_file(
    error: BaseException, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identify(file: BinaryIO) -> object:
        if "odd" in str(file.name):
            raise error
        return media_file_identify(file)

    media_file_identify = audio_hash.identify
    monkeypatch.setattr(media_file, "identify", identify)
    for name in ("1.opus", "odd.opus", "2.opus"):
        write_song(tmp_path / name, seed=ord(name[0]))

    files = read_many(str(tmp_path), [Uri(name) for name in ("1.opus", "odd.opus", "2.opus")])

    assert [file.track_id is None for file in files] == [False, True, False]
    assert (files[1].problem or "").startswith(problem)
    assert len(files[1].problem or "") <= media_file.MAX_PROBLEM_CHARACTERS
    assert files[1].stamp != NOT_READ
