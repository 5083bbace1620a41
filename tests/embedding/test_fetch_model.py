"""Fetching a model: from a hub, from a folder, interrupted, damaged."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anagnorisisd.embedding.fetch_model import fetch
from anagnorisisd.embedding.published_models import MERT, Publication, PublishedFile
from anagnorisisd.errors import FetchFailed

pytestmark = pytest.mark.slow

CONTENTS = {"config.json": b'{"model_type": "mert_model"}', "pytorch_model.bin": bytes(24_000_000)}
REVISION = "0123456789abcdef0123456789abcdef01234567"
PUBLICATION = Publication(
    name="tiny",
    repository="somebody/tiny",
    revision=REVISION,
    files=tuple(
        PublishedFile(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in CONTENTS.items()
    ),
    notice="free",
)


class Hub(ThreadingHTTPServer):
    """Serves files as the hub does; `breaks_after` bytes of a file it hangs up, once."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = dict(CONTENTS)
        self.breaks_after: int | None = None
        self.requests: list[tuple[str, str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Hub

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        name = self.path.rsplit("/", 1)[-1]
        wanted = self.headers.get("Range")
        self.server.requests.append((self.command, name, wanted))
        content = self.server.files.get(name)
        if content is None or f"/resolve/{REVISION}/" not in self.path:
            self.send_error(404)
            return
        start = int(wanted.split("=")[1].split("-")[0]) if wanted else 0
        body = content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if with_body:
            limit, self.server.breaks_after = self.server.breaks_after, None
            self.wfile.write(body if limit is None else body[:limit])
            if limit is not None:
                self.close_connection = True


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class RecordCall:
    """Remembers the progress that was told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []

    def __call__(self, name: str, done: int, total: int) -> None:
        self.steps.append((name, done, total))


def whole(folder: Path) -> bool:
    """Say whether the folder holds the model, and nothing else."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


def test_a_model_is_downloaded_with_progress(hub: Hub, tmp_path: Path) -> None:
    told = RecordCall()

    folder = fetch(tmp_path, None, told, publication=PUBLICATION, endpoint=hub.address)

    assert folder == tmp_path / "tiny"
    assert whole(folder)
    weights = [done for name, done, _ in told.steps if name == "pytorch_model.bin"]
    assert weights == sorted(weights)
    assert weights[-1] == 24_000_000


def test_present_files_are_not_downloaded_again(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path, None, RecordCall(), publication=PUBLICATION, endpoint=hub.address)
    hub.requests.clear()

    fetch(tmp_path, None, RecordCall(), publication=PUBLICATION, endpoint=hub.address)

    assert hub.requests == []


def test_an_interrupted_download_is_resumed(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_bytes(CONTENTS["config.json"])
    hub.breaks_after = 15_000_000

    try:
        fetch(tmp_path, None, RecordCall(), publication=PUBLICATION, endpoint=hub.address)
    except FetchFailed:
        assert not (folder / "pytorch_model.bin").exists()
        fetch(tmp_path, None, RecordCall(), publication=PUBLICATION, endpoint=hub.address)

    assert whole(folder)
    assert any(wanted for command, _, wanted in hub.requests if command == "GET")


def test_a_download_that_differs_from_what_was_published_is_refused(
    hub: Hub, tmp_path: Path
) -> None:
    hub.files["pytorch_model.bin"] = bytes(23_999_999) + b"!"

    with pytest.raises(FetchFailed, match=r"pytorch_model\.bin is not the published one"):
        fetch(tmp_path, None, RecordCall(), publication=PUBLICATION, endpoint=hub.address)

    assert not (tmp_path / "tiny" / "pytorch_model.bin").exists()


def test_without_a_network_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the client tries five times, patiently

    with pytest.raises(FetchFailed, match="--from"):
        fetch(tmp_path, None, RecordCall(), publication=PUBLICATION, endpoint="http://127.0.0.1:1")


def test_a_model_comes_from_a_folder_too(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    for name, content in CONTENTS.items():
        (clone / name).write_bytes(content)
    told = RecordCall()

    folder = fetch(tmp_path / "models", clone, told, publication=PUBLICATION)

    assert whole(folder)
    assert ("pytorch_model.bin", 1 << 20, 24_000_000) in told.steps


def clone_of(folder: Path) -> Path:
    folder.mkdir()
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    clone = clone_of(tmp_path / "clone")
    (clone / "pytorch_model.bin").unlink()
    os.mkfifo(clone / "pytorch_model.bin")

    with pytest.raises(FetchFailed, match="not a regular file"):
        fetch(tmp_path / "models", clone, RecordCall(), publication=PUBLICATION)


def test_no_more_is_copied_than_the_model_has(tmp_path: Path) -> None:
    clone = clone_of(tmp_path / "clone")
    with (clone / "pytorch_model.bin").open("ab") as weights:
        weights.truncate(1 << 40)
    told = RecordCall()

    with pytest.raises(FetchFailed, match="should have 24000000"):
        fetch(tmp_path / "models", clone, told, publication=PUBLICATION)

    assert all(done <= total for _, done, total in told.steps)


@pytest.mark.parametrize("place", [".partial", ".partial/pytorch_model.bin"])
def test_links_where_files_are_put_together_are_not_followed(tmp_path: Path, place: str) -> None:
    clone = clone_of(tmp_path / "clone")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pytorch_model.bin").write_text("somebody's")
    link = tmp_path / "models" / "tiny" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere if place == ".partial" else elsewhere / "pytorch_model.bin")

    folder = fetch(tmp_path / "models", clone, RecordCall(), publication=PUBLICATION)

    assert whole(folder)
    assert [path.name for path in elsewhere.iterdir()] == ["pytorch_model.bin"]
    assert (elsewhere / "pytorch_model.bin").read_text() == "somebody's"


def test_an_incomplete_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match=r"config\.json cannot be read: No such file"):
        fetch(tmp_path / "models", tmp_path, RecordCall(), publication=PUBLICATION)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FetchFailed, match="Not a directory"):
        fetch(tmp_path / "file", tmp_path, RecordCall(), publication=PUBLICATION)


def test_a_damaged_file_is_replaced(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\n")

    fetch(tmp_path, None, RecordCall(), publication=PUBLICATION, endpoint=hub.address)

    assert whole(folder)


def test_mert_is_pinned() -> None:
    assert len(MERT.revision) == 40
    assert [len(file.sha256) for file in MERT.files] == [64, 64, 64]
    assert MERT.files[-1].name == "pytorch_model.bin"
    assert "CC BY-NC 4.0" in MERT.notice
