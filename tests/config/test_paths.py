"""Paths of a user's daemon and of the system service."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from anagnorisisd.config import paths
from anagnorisisd.config.schema import Config, Embedding, Music, Rpc, State
from anagnorisisd.errors import ConfigError


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a path short enough for a socket, which that of `tmp_path` need not be."""
    folder = Path(tempfile.mkdtemp(prefix="home"))
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    yield folder
    shutil.rmtree(folder)


def test_a_user_has_xdg_directories(home: Path) -> None:
    runtime = home / "run"
    runtime.mkdir()

    assert paths.resolve(Config(), {"XDG_RUNTIME_DIR": str(runtime)}) == paths.Paths(
        music=home / "Music",
        state=home / ".local/state/anagnorisis",
        socket=runtime / "anagnorisis/anagnorisisd.sock",
        models=home / ".local/share/anagnorisis/models",
        cache=home / ".cache/anagnorisis",
    )


def test_the_music_directory_of_the_desktop(home: Path) -> None:
    (home / ".config").mkdir()
    (home / ".config/user-dirs.dirs").write_text('XDG_MUSIC_DIR="$HOME/Musik"\n')

    assert paths.resolve(Config(), {}).music == home / "Musik"


def test_a_service_uses_the_directories_of_systemd() -> None:
    variables = {
        "STATE_DIRECTORY": "/var/lib/anagnorisis",
        "RUNTIME_DIRECTORY": "/run/anagnorisis:/run/other",
        "CACHE_DIRECTORY": "/var/cache/anagnorisis",
    }

    assert paths.resolve(Config(), variables) == paths.Paths(
        music=Path("/var/lib/mpd/music"),
        state=Path("/var/lib/anagnorisis"),
        socket=Path("/run/anagnorisis/anagnorisisd.sock"),
        models=Path("/var/lib/anagnorisis/models"),
        cache=Path("/var/cache/anagnorisis"),
    )


def test_configured_paths_override_defaults() -> None:
    config = Config(
        music=Music(directory=Path("/m")),
        state=State(directory=Path("/s")),
        rpc=Rpc(socket=Path("/r/socket")),
        embedding=Embedding(model_directory=Path("/models")),
    )

    found = paths.resolve(config, {"STATE_DIRECTORY": "/var/lib/anagnorisis"})

    assert (found.music, found.state) == (Path("/m"), Path("/s"))
    assert (found.socket, found.models) == (Path("/r/socket"), Path("/models"))


def test_without_a_runtime_directory_the_socket_is_in_the_state_directory(home: Path) -> None:
    found = paths.resolve(Config(), {"XDG_RUNTIME_DIR": str(home / "absent")})

    assert found.socket == home / ".local/state/anagnorisis/anagnorisisd.sock"


def test_a_too_long_socket_path_is_refused() -> None:
    config = Config(rpc=Rpc(socket=Path("/" + "x" * 107)))

    with pytest.raises(ConfigError, match="has 108 bytes"):
        paths.resolve(config, {})
