"""Loading the configuration from all sources, and all of its problems at once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.config import load
from anagnorisisd.config.schema import Config, Watch
from anagnorisisd.errors import ConfigError

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def no_files_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "SYSTEM_FILE", tmp_path / "etc.yaml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> Path:
        Path("config.yaml").write_text(text)
        return Path("config.yaml")

    return written


def problems(file: Path | None, variables: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load.load({}, variables or {}, file)
    return list(raised.value.problems)


def test_defaults_without_any_source() -> None:
    assert load.load({}, {}) == Config()


def test_later_sources_override_earlier_ones(tmp_path: Path, write: Write) -> None:
    (tmp_path / "etc.yaml").write_text("picks: {ahead: 1, explore: 0.1, artist_spread: 1}\n")
    own = write("picks:\n  ahead: 2\n  explore: 0.2\n")

    config = load.load(
        {("picks", "ahead"): ("--ahead", "4")},
        {"ANAGNORISIS_PICKS__AHEAD": "3", "ANAGNORISIS_MUSIC__WATCH": "poll"},
        own,
    )

    assert config.picks.ahead == 4
    assert config.picks.explore == 0.2
    assert config.picks.artist_spread == 1
    assert config.music.watch is Watch.POLL


def test_the_users_file_is_read(tmp_path: Path) -> None:
    own = tmp_path / "xdg" / "anagnorisis" / "config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("picks: {ahead: 7}\n")

    assert load.load({}, {}).picks.ahead == 7


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "picks:\n  ahead: 101\n",
            "config.yaml:2:10: picks.ahead: 101 is not a whole number from 0 to 100",
        ),
        (
            "picks:\n  ahead: many\n",
            'config.yaml:2:10: picks.ahead: "many" is not a whole number from 0 to 100',
        ),
        (
            "picks:\n  ahead: true\n",
            "config.yaml:2:10: picks.ahead: true is not a whole number from 0 to 100",
        ),
        (
            "picks:\n  ahead:\n",
            "config.yaml:2:3: picks.ahead: is empty, but should be a whole number from 0 to 100",
        ),
        (
            "picks:\n  ahed: 3\n",
            "config.yaml:2:3: picks.ahed: unknown key; did you mean picks.ahead?",
        ),
        (
            "music:\n  ahead: 3\n",
            "config.yaml:2:3: music.ahead: unknown key; did you mean picks.ahead?",
        ),
        ("pick:\n  ahead: 3\n", "config.yaml:1:1: pick: unknown key; did you mean picks?"),
        (
            "picks: 3\n",
            "config.yaml:1:8: picks: expected a section with keys, found 3",
        ),
        (
            "metrics:\n  address: 0.0.0.0:9680\n",
            'config.yaml:2:12: metrics.address: "0.0.0.0:9680" is not a loopback address with a '
            'port such as "127.0.0.1:9680" (metrics are served without authentication)',
        ),
        (
            "music:\n  watch: inotfy\n",
            'config.yaml:2:10: music.watch: "inotfy" is not one of inotify, poll, off; '
            "did you mean inotify?",
        ),
        (
            "music:\n  formats: [mp3, 4]\n",
            'config.yaml:2:12: music.formats: ["mp3", 4] is not a list, each text',
        ),
        (
            "music:\n  rescan_minutes: 0\n",
            "config.yaml:2:19: music.rescan_minutes: 0 is not a number above 0",
        ),
        (
            "music:\n  rescan_minutes: .inf\n",
            "config.yaml:2:19: music.rescan_minutes: Infinity is not a number above 0",
        ),
        (
            "training:\n  time: '25:00'\n",
            'config.yaml:2:9: training.time: "25:00" is not a time of day such as "03:30"',
        ),
        (
            "training:\n  timezone: Europe/Berln\n",
            "config.yaml:2:13: training.timezone: unknown time zone 'Europe/Berln'; "
            "did you mean Europe/Berlin?",
        ),
        (
            "embedding:\n  layer: 7\n  executor: dask\n",
            "config.yaml:3:13: embedding.executor: dask needs embedding.dask.address, the address "
            "of a running scheduler, such as tcp://desktop:8786",
        ),
        (
            "embedding:\n  executor: dask\n  dask:\n    address: desktop:8786\n",
            'config.yaml:4:14: embedding.dask.address: "desktop:8786" is not an address such as '
            "tcp://desktop:8786",
        ),
        ("- music\n", "config.yaml:1:1: expected sections such as `music:`"),
        ("music: [\n", "config.yaml:2:1: not valid YAML: "),
        ("a: 1\na: 2\n", 'config.yaml:2:1: not valid YAML: found duplicate key "a"'),
    ],
)
def test_a_problem_has_source_value_and_remedy(write: Write, text: str, problem: str) -> None:
    found = problems(write(text))

    assert len(found) == 1
    assert found[0].startswith(problem)


def test_all_problems_are_reported_at_once_in_file_order(write: Write) -> None:
    file = write(
        "picks:\n  ahead: x\n  explore: 2\n"
        "music:\n  watch: no\n  colour: red\n"
        "log:\n  level: loud\n"
    )

    found = problems(file, {"ANAGNORISIS_PICKS__ARTIST_SPREAD": "-1", "ANAGNORISIS_LOG__LVEL": "x"})

    assert [problem.split(": ")[0] for problem in found] == [
        "ANAGNORISIS_LOG__LVEL",
        "ANAGNORISIS_PICKS__ARTIST_SPREAD",
        "config.yaml:2:10",
        "config.yaml:3:12",
        "config.yaml:5:10",
        "config.yaml:6:3",
        "config.yaml:8:10",
    ]


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    assert problems(tmp_path / "gone") == [
        f"{tmp_path / 'gone'}: cannot be read: no such file or directory"
    ]
    assert problems(tmp_path)[0].endswith("cannot be read: is a directory")
    assert "is not UTF-8 text" in problems(tmp_path / "binary")[0]


def test_empty_files_and_sections_change_nothing(write: Write) -> None:
    assert load.load({}, {}, write("")) == Config()
    assert load.load({}, {}, write("music:\npicks:\n")) == Config()


def test_paths_in_a_file_are_relative_to_it(tmp_path: Path, write: Write) -> None:
    file = write("music: {directory: songs}\nstate: {directory: ~/state}\n")
    inside = tmp_path / "elsewhere"
    inside.mkdir()
    file.rename(inside / "config.yaml")

    config = load.load({}, {}, inside / "config.yaml")

    assert config.music.directory == inside / "songs"
    assert config.state.directory == tmp_path / "home" / "state"


def test_a_path_in_a_variable_or_flag(tmp_path: Path, write: Write) -> None:
    write("")

    config = load.load({}, {"ANAGNORISIS_MUSIC__DIRECTORY": "my songs # 1: [best]"})

    assert config.music.directory == tmp_path / "my songs # 1: [best]"


def test_variables_of_the_client_are_ignored() -> None:
    assert load.load({}, {"ANAGNORISIS_SOCKET": "/tmp/x", "ANAGNORISIS": "1"}) == Config()


def test_lists_and_booleans_in_variables() -> None:
    config = load.load(
        {}, {"ANAGNORISIS_MUSIC__EXCLUDE": "[a, 'b c']", "ANAGNORISIS_PICKS__ENABLED": "false"}
    )

    assert config.music.exclude == ("a", "b c")
    assert config.picks.enabled is False


def test_yaml_merge_keys(write: Write) -> None:
    file = write("music: &m\n  watch: off\nmpd:\n  <<: *m\n  partition: x\n")

    assert problems(file) == ["config.yaml:4:3: mpd.watch: unknown key; did you mean music.watch?"]


@settings(deadline=None)
@given(text=st.text(max_size=80))
def test_any_text_is_read_without_an_unexpected_error(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("any") / "config.yaml"
    file.write_text(text, encoding="utf-8")
    told: tuple[str, ...] = ()
    try:
        load.load({}, {}, file)
    except ConfigError as error:
        told = error.problems
    assert all(problem.startswith(str(file)) for problem in told)
