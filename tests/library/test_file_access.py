"""Links are followed, and a disk that hangs holds nobody up."""

import os
import threading
from pathlib import Path

import pytest

from anagnorisisd.library import file_access
from anagnorisisd.library.file_access import real_path


def test_real_path_follows_changed_links(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    link = tmp_path / "link"
    link.symlink_to("one")
    assert real_path(link / "below") == str(tmp_path.resolve() / "one" / "below")

    link.unlink()
    link.symlink_to("other")

    assert real_path(link / "below") == str(tmp_path.resolve() / "other" / "below")


def test_real_path_starts_one_thread_on_a_hanging_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answering = threading.Event()

    def hang(path: str) -> str:
        asked.append(path)
        answering.wait()
        return "/mnt/share"

    monkeypatch.setattr(file_access, "REALPATH_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(os.path, "realpath", hang)
    assert [real_path("/share"), real_path("/share/../share")] == ["/share", "/share"]
    assert asked == ["/share"]

    answering.set()
    monkeypatch.setattr(file_access, "REALPATH_TIMEOUT_SECONDS", 10)

    while real_path("/share") == "/share":  # the first question may still be about to end
        pass
    assert real_path("/share") == "/mnt/share"
