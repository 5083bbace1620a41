"""Tracks of cue sheets, a whole file and a part of one: rated in each way, played and moved."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from anagnorisis.v1 import library_pb2, pick_pb2, rating_pb2, track_pb2
from anagnorisisd.playlists import rating_rules
from tests.support import mpd
from tests.support.cue_sheets import image, track
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.media import age, retag
from tests.support.mpd import Mpd
from tests.support.rpc import command

PART_SECONDS, SECONDS = 20, 220.0
PART, LONG_PART = (f"album/image.cue/track{number:04}" for number in (1, 2))
WHOLE, FILE = "album/disc.cue/track0001", "album/file.wav"
SHEETS = {
    "image.cue": 'FILE "image.wav" WAVE\n'
    + track(1, "Part 1")
    + track(2, "Part 2", f"01 00:{PART_SECONDS}:00"),
    "disc.cue": 'FILE "file.wav" WAVE\n' + track(1, "Whole"),
}
SETTINGS = """\
picks:
  enabled: false
embedding:
  embedder: features
listening:
  browsing_seconds: 0.5
ratings:
  playlists: true
"""

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mpd]:
    folder = tmp_path_factory.mktemp("cue")
    album = folder / "music" / "album"
    mpd.write_songs(album, ("image.wav", "file.wav"), SECONDS)
    mpd.write_songs(folder / "music", ("root.wav",), 8.0)
    (folder / "music" / "root.cue").write_text(image("root.wav", "One", "Two"))
    for name, text in SHEETS.items():
        (album / name).write_text(text)
    for path in (*album.iterdir(), *album.parent.glob("root.*")):
        age(path)
    with mpd.running(folder, output=mpd.PACED.format(rate=mpd.RATE)) as running:
        running.mpc("repeat", "off")
        yield running


@pytest.fixture(scope="module")
def daemon(server: Mpd) -> Iterator[RunningDaemon]:
    program = ("tests.support.fast_daemon", str(mpd.RATE))
    home = server.folder.parent / "daemon"
    with running_daemon(home, server.music, server.socket, SETTINGS, program) as running:
        running.until(lambda: running.status().library.embedded == 5)
        # Exactly these: for a moment, one may have a longer name. MPD lists the sheet, too.
        names = sorted([*rating_rules.names("Rate"), "root.cue"])
        running.until(lambda: sorted(server.mpc("lsplaylists").splitlines()) == names)
        yield running


def found(daemon: RunningDaemon, uri: str) -> track_pb2.Track:
    target = track_pb2.Target(uri=uri)
    return daemon.library.GetTrack(library_pb2.GetTrackRequest(target=target)).track


def by_service(daemon: RunningDaemon, server: Mpd, uri: str, rating: int) -> None:
    target = track_pb2.Target(uri=uri)
    daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=rating))


def by_command(daemon: RunningDaemon, server: Mpd, uri: str, rating: int) -> None:
    run(daemon, server, "anagnorisis", "rate", str(rating), uri)


def by_sticker(daemon: RunningDaemon, server: Mpd, uri: str, rating: int) -> None:
    server.mpc("sticker", uri, "set", "rating", str(rating))


def by_message(daemon: RunningDaemon, server: Mpd, uri: str, rating: int) -> None:
    server.mpc("sendmessage", "anagnorisis", f"rate {rating} {uri}")


def by_playlist(daemon: RunningDaemon, server: Mpd, uri: str, rating: int) -> None:
    asyncio.run(server.send(f'playlistadd "Rate {rating:02}" "{uri}"'))


def by_key(daemon: RunningDaemon, server: Mpd, uri: str, rating: int) -> None:
    server.mpc("clear")
    server.mpc("add", uri)
    server.mpc("play")
    server.mpc("pause")
    run(daemon, server, "anagnorisis-rate", str(rating))
    server.mpc("clear")


def run(daemon: RunningDaemon, server: Mpd, *words: str) -> None:
    """Run a command of the listener that works."""
    done = asyncio.run(command(*words, socket=daemon.socket, MPD_HOST=str(server.socket)))
    assert (done.code, done.err) == (0, "")


WAYS: tuple[Callable[[RunningDaemon, Mpd, str, int], None], ...] = (
    by_service, by_command, by_sticker, by_message, by_playlist, by_key
)  # fmt: skip


@pytest.mark.parametrize("uri", [PART, WHOLE])
def test_rated_in_each_way(daemon: RunningDaemon, server: Mpd, uri: str) -> None:
    for rating, rate in enumerate(WAYS, start=1):
        rate(daemon, server, uri, rating)

        daemon.until(partial(is_rated, daemon, server, uri, rating))

    other = found(daemon, LONG_PART)
    assert (other.HasField("rating"), sticker(server, LONG_PART)) == (False, None)
    if uri == WHOLE:
        assert found(daemon, FILE).track_id == found(daemon, uri).track_id
        daemon.until(lambda: sticker(server, FILE) == str(len(WAYS)))


def test_a_part_is_rated_where_the_queue_has_the_file(daemon: RunningDaemon, server: Mpd) -> None:
    """`load` adds the sheet's audio file to the queue, with the range of each track."""
    server.mpc("clear")
    server.mpc("load", "album/image.cue")
    assert server.mpc("-f", "%file%", "playlist").splitlines() == ["album/image.wav"] * 2
    server.mpc("play")
    server.mpc("pause")

    run(daemon, server, "anagnorisis", "rate", "10")

    daemon.until(partial(is_rated, daemon, server, PART, 10))
    server.mpc("clear")


def test_tracks_that_mpd_lists_and_cannot_play_are_not_picked(
    daemon: RunningDaemon, server: Mpd
) -> None:
    assert "root.cue/track0001" in server.mpc("listall").splitlines()

    daemon.until(lambda: daemon.status().mpd.unlisted_tracks == 2)
    assert "move 'root.cue' and its audio into a folder" in daemon.status().mpd.unlisted_reason
    for seed in range(20):
        request = pick_pb2.PreviewPicksRequest(count=3, seed=seed)
        picked = {pick.track.uri for pick in daemon.pick.PreviewPicks(request).picks}
        assert picked == {PART, LONG_PART, WHOLE}


def is_rated(daemon: RunningDaemon, server: Mpd, uri: str, rating: int) -> bool:
    """Tell whether the daemon and MPD's sticker have this rating."""
    return found(daemon, uri).rating == rating and sticker(server, uri) == str(rating)


def sticker(server: Mpd, uri: str) -> str | None:
    lines = server.mpc("sticker", uri, "list").splitlines()
    return next((line.removeprefix("rating=") for line in lines), None)


def test_a_part_that_ends_is_a_full_play_and_one_that_is_left_is_skipped(
    daemon: RunningDaemon, server: Mpd
) -> None:
    server.mpc("clear")
    server.mpc("add", PART, LONG_PART, WHOLE)
    server.mpc("play")
    for uri in (LONG_PART, WHOLE):
        daemon.until(partial(is_heard, server, uri))
        server.mpc("next")

    daemon.until(lambda: found(daemon, WHOLE).skip_count)
    counts = {uri: found(daemon, uri) for uri in (PART, LONG_PART, WHOLE)}
    assert [(each.play_count, each.skip_count) for each in counts.values()] == [
        (1, 0), (0, 1), (0, 1)
    ]  # fmt: skip
    assert counts[PART].duration_seconds == pytest.approx(PART_SECONDS, abs=0.1)


def is_heard(server: Mpd, uri: str) -> bool:
    """Tell whether the song plays, and more than the seconds after which leaving it is a skip."""
    if server.mpc("current", "-f", "%file%") != uri:
        return False
    minutes, seconds = server.mpc("status", "%currenttime%").split(":")
    return 60 * int(minutes) + int(seconds) > 6


def test_moved_and_retagged_tracks_keep_their_ratings(daemon: RunningDaemon, server: Mpd) -> None:
    by_service(daemon, server, PART, 9)
    by_service(daemon, server, WHOLE, 8)
    before = {uri: found(daemon, uri).track_id for uri in (PART, WHOLE)}

    album = (server.music / "album").rename(server.music / "moved")
    for name, text in SHEETS.items():
        (album / name).write_text(text.replace("Part", "Piece").replace("Whole", "All"))
    retag(album / "image.wav", "Retagged")
    server.mpc("update", "--wait")

    for uri, title, rating in ((PART, "Piece 1", 9), (WHOLE, "All", 8)):
        moved = uri.replace("album", "moved")
        daemon.until(partial(is_rated, daemon, server, moved, rating))
        daemon.until(partial(is_titled, daemon, moved, title))
        assert found(daemon, moved).track_id == before[uri]


def is_titled(daemon: RunningDaemon, uri: str, title: str) -> bool:
    return found(daemon, uri).title == title
