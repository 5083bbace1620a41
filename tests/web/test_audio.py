"""Audio for the browser's player."""

import httpx
import pytest

from anagnorisis.v1.library_pb2 import ListTracksRequest
from tests.support.web_page import Home

SONG = "Artist 1/song 1.wav"


@pytest.fixture(scope="module")
def path(home: Home) -> str:
    """The path of a song on the page."""
    (track,) = home.daemon.library.ListTracks(ListTracksRequest(text=SONG)).tracks
    return f"/audio/{track.track_id}"


def get(home: Home, path: str, **headers: str) -> httpx.Response:
    with home.visitor() as visitor:
        return visitor.get(
            path, headers={name.replace("_", "-"): headers[name] for name in headers}
        )


def test_the_whole_file(home: Home, path: str) -> None:
    answer = get(home, path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] in {"audio/wav", "audio/x-wav", "audio/vnd.wave"}
    assert answer.headers["accept-ranges"] == "bytes"
    assert "content-encoding" not in answer.headers
    assert answer.content == (home.mpd.music / SONG).read_bytes()


def test_a_range_and_the_end(home: Home, path: str) -> None:
    content = (home.mpd.music / SONG).read_bytes()
    part = get(home, path, range="bytes=1000-200999")
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 1000-200999/{len(content)}"
    assert part.content == content[1000:201000]
    assert get(home, path, range="bytes=-77").content == content[-77:]


def test_a_range_outside_the_file(home: Home, path: str) -> None:
    answer = get(home, path, range="bytes=99999999-")
    assert answer.status_code == 416
    size = (home.mpd.music / SONG).stat().st_size
    assert answer.headers["content-range"] == f"bytes */{size}"


def test_only_the_headers(home: Home, path: str) -> None:
    with home.visitor() as visitor:
        answer = visitor.head(path)
        part = visitor.head(path, headers={"range": "bytes=0-9"})
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == (home.mpd.music / SONG).stat().st_size
    assert answer.content == b""
    assert (part.status_code, part.headers["content-length"]) == (206, "10")


def test_the_etag_of_a_file(home: Home, path: str) -> None:
    etag = get(home, path).headers["etag"]
    assert get(home, path, if_none_match=etag).status_code == 304
    assert get(home, path, range="bytes=0-9", if_range=etag).status_code == 206
    assert get(home, path, range="bytes=0-9", if_range='"another"').status_code == 200


def test_a_track_that_does_not_exist(home: Home) -> None:
    assert get(home, f"/audio/{0:032}").status_code == 404
