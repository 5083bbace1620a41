"""The configuration schema: every section, key, type, range and default.

A test compares it with the documented `config.yaml` at the root of the repository. Each service
gets its own section only.

A change of a `Live` key applies when the configuration is reloaded; others need a restart.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

Value = TypeVar("Value")


class _AppliesAtOnce:
    """Marks a key whose new value is passed to its service while the daemon runs."""


Live = Annotated[Value, _AppliesAtOnce()]

Seconds = Annotated[float, Field(ge=0)]
Minutes = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]

PREFIX = r"^[^/\r\n]{1,60}$"
PlaylistPrefix = Annotated[str, Field(pattern=PREFIX)]

PUBLISHED = r"^(Favourites|Promising|Forgotten|To rate|New|Tag .{1,40}?)( [1-9]\d{0,3})?$"
PublishedPlaylist = Annotated[str, Field(pattern=PUBLISHED)]

TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"
SCHEDULER = r"^(tcp|tls)://[^\s/]+:\d+$"
LOOPBACK = r"^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}$"


class Section(BaseModel):
    """A section of the configuration: immutable, strictly typed, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )


def is_live(field: FieldInfo) -> bool:
    """Return whether a change of this key applies without a restart."""
    return any(isinstance(mark, _AppliesAtOnce) for mark in field.metadata)


class Watch(StrEnum):
    """How changes in the music directory are detected between scans."""

    INOTIFY = "inotify"
    POLL = "poll"
    OFF = "off"


class MusicSource(StrEnum):
    """Where the library has its songs from."""

    FILES = "files"
    MPD = "mpd"


class Music(Section):
    """The music directory and how it is scanned."""

    source: MusicSource = MusicSource.FILES
    directory: Path | None = None
    formats: tuple[str, ...] = (
        "mp3", "mp2", "flac", "ogg", "oga", "opus", "spx", "m4a", "m4b", "mp4", "aac", "wav",
        "w64", "aif", "aiff", "aifc", "au", "snd", "caf", "wv", "ape", "mpc", "wma", "asf", "tta",
        "tak", "dsf", "dff", "ac3", "eac3", "dts", "mka", "weba", "webm",
    )  # fmt: skip
    exclude: tuple[str, ...] = ()
    prefer: Live[tuple[str, ...]] = ()
    watch: Watch = Watch.INOTIFY
    rescan_minutes: Live[Annotated[float, Field(gt=0)]] = 60.0


class Mpd(Section):
    """The connection to MPD."""

    address: str | None = None
    password_file: Path | None = None
    partition: str | None = None
    music_directory: Path | None = None
    timeout_seconds: Annotated[float, Field(gt=0)] = 10.0


class PickUnit(StrEnum):
    """What a pick is."""

    TRACK = "track"
    ALBUM = "album"


class Picks(Section):
    """Which tracks are added to the queue, and when."""

    enabled: Live[bool] = True
    ahead: Live[Annotated[int, Field(ge=0, le=100)]] = 3
    fill_empty_queue: Live[bool] = False
    start_playback: Live[bool] = False
    min_hours_between_plays: Live[Annotated[float, Field(ge=0)]] = 0.0
    artist_spread: Live[Annotated[int, Field(ge=0, le=1000)]] = 0
    album_spread: Live[Annotated[int, Field(ge=0, le=1000)]] = 0
    min_seconds: Live[Seconds] = 0.0
    max_minutes: Live[Minutes] = 0.0
    exclude_folders: Live[tuple[str, ...]] = ()
    exclude_genres: Live[tuple[str, ...]] = ()
    explore: Live[Fraction] = 0.0
    flow: Live[Fraction] = 0.0
    unit: Live[PickUnit] = PickUnit.TRACK
    album_minimum_tracks: Live[Annotated[int, Field(ge=2, le=50)]] = 4
    playlists: Live[tuple[PublishedPlaylist, ...]] = ()
    playlist_prefix: Live[PlaylistPrefix] = "Anagnorisis"


class Listening(Section):
    """What counts as a full play or a skip."""

    full_play_fraction: Live[Annotated[float, Field(gt=0, le=1)]] = 0.85
    skip_fraction: Live[Annotated[float, Field(gt=0, le=1)]] = 0.5
    skip_after_seconds: Live[Seconds] = 5.0
    browsing_skips: Live[Annotated[int, Field(ge=2)]] = 3
    browsing_seconds: Live[Seconds] = 20.0


class EmbedderChoice(StrEnum):
    """Which embedder to use."""

    AUTO = "auto"
    FEATURES = "features"
    MUSICNN = "musicnn"
    MERT = "mert"


class Device(StrEnum):
    """Where MERT runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Executor(StrEnum):
    """Where embeddings are computed."""

    LOCAL = "local"
    DASK = "dask"


class Dask(Section):
    """The Dask cluster that computes embeddings."""

    address: Annotated[str | None, Field(pattern=SCHEDULER)] = None
    music_directory: Path | None = None


class Embedding(Section):
    """How audio is embedded."""

    embedder: EmbedderChoice = EmbedderChoice.AUTO
    model_directory: Path | None = None
    layer: Annotated[int, Field(ge=1, le=12)] = 12
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    pause_on_battery: Live[bool] = False
    device: Device = Device.AUTO
    idle_minutes: Annotated[float, Field(gt=0)] = 2.0
    track_timeout_seconds: Annotated[float, Field(gt=0)] = 300.0
    executor: Executor = Executor.LOCAL
    dask: Dask = Dask()


class Training(Section):
    """When the evaluator is trained."""

    time: Live[Annotated[str, Field(pattern=TIME_OF_DAY)]] = "03:30"
    timezone: Live[str | None] = None
    minimum_ratings: Live[Annotated[int, Field(ge=2)]] = 10
    learn_after_seconds: Live[Seconds] = 0.5


class Ratings(Section):
    """Sources of ratings, and where ratings are written."""

    read_stickers: Live[bool] = True
    write_stickers: Live[bool] = True
    read_like: Live[bool] = False
    write_predicted: Live[bool] = False
    write_plays: Live[bool] = False
    write_file_tags: bool = False
    channel: str = "anagnorisis"
    playlists: Live[bool] = False
    playlist_prefix: Live[PlaylistPrefix] = "Rate"


class Tcp(Section):
    """TCP for clients on other computers; off without an address."""

    address: str | None = None
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Rpc(Section):
    """The addresses of the gRPC service."""

    socket: Path | None = None
    share_with_group: bool = False
    tcp: Tcp = Tcp()


class Metrics(Section):
    """Metrics for Prometheus; off without an address."""

    address: Annotated[str | None, Field(pattern=LOOPBACK)] = None


class State(Section):
    """The state directory."""

    directory: Path | None = None


class LogLevel(StrEnum):
    """The minimum level of log messages."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The format of log messages; auto is journal under systemd, else text."""

    AUTO = "auto"
    TEXT = "text"
    JOURNAL = "journal"
    JSON = "json"


class Log(Section):
    """Logging."""

    level: Live[LogLevel] = LogLevel.INFO
    format: LogFormat = LogFormat.AUTO


class Config(Section):
    """The whole configuration; only `app` and `daemon` have it."""

    music: Music = Music()
    mpd: Mpd = Mpd()
    picks: Picks = Picks()
    listening: Listening = Listening()
    embedding: Embedding = Embedding()
    training: Training = Training()
    ratings: Ratings = Ratings()
    rpc: Rpc = Rpc()
    metrics: Metrics = Metrics()
    state: State = State()
    log: Log = Log()
