"""The demo library: the same for everybody, tagged, and of clearly different kinds."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import mutagen
import numpy as np
import pytest
from numpy.typing import NDArray

from tools.demo import library
from tools.demo.sounds import RATE

SONGS = list(library.songs())
FIRST_OF_EACH = [song for song in SONGS if song.number == 1]


def spectrum(signal: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the shares of 24 frequency bands, `[24]`, in decibels, centred."""
    power = np.abs(np.fft.rfft(signal[0][: 10 * RATE])) ** 2
    edges = np.geomspace(40, len(power) - 1, 25).astype(int)
    bands = [power[a:b].mean() for a, b in pairwise(edges)]
    level = 10 * np.log10(np.array(bands) + 1e-9)
    return np.asarray(level - level.mean())


def test_forty_tracks_by_eight_artists_in_four_kinds() -> None:
    assert len({song.path for song in SONGS}) == 40
    assert Counter(song.artist.genre for song in SONGS) == dict.fromkeys(
        ("Ambient", "Techno", "Chiptune", "Folk"), 10
    )


@pytest.mark.parametrize("song", FIRST_OF_EACH, ids=lambda song: song.artist.name)
def test_a_track_is_sound_of_the_promised_length(song: library.Song) -> None:
    signal = song.signal()

    assert signal.shape[0] == 2
    assert 20 <= signal.shape[1] / RATE <= 40
    assert np.isfinite(signal).all()
    assert 0.05 < np.sqrt(np.mean(signal**2)) < 0.5
    assert np.abs(signal).max() <= 1


def test_the_same_track_is_made_twice_alike_and_no_two_are_the_same() -> None:
    assert np.array_equal(SONGS[0].signal(), library.Song(SONGS[0].artist, 1).signal())
    assert not np.array_equal(SONGS[0].signal()[:, :RATE], SONGS[1].signal()[:, :RATE])


def test_tracks_of_one_kind_are_nearer_to_each_other_than_to_other_kinds() -> None:
    some = [song for song in SONGS if song.number in {1, 2}]
    spectra = [spectrum(song.signal()) for song in some]
    alike = 0
    for index, song in enumerate(some):
        distance = [float(np.linalg.norm(spectra[index] - other)) for other in spectra]
        distance[index] = float("inf")
        nearest = some[int(np.argmin(distance))]
        alike += nearest.artist.genre == song.artist.genre

    assert alike >= 0.9 * len(some)


@pytest.mark.parametrize("extension", sorted(library.CODECS))
def test_the_files_carry_their_tags(extension: str, tmp_path: Path) -> None:
    song = next(song for song in SONGS if song.artist.extension == extension)

    library.encode(song, tmp_path / "song")
    tags = mutagen.File(tmp_path / "song", easy=True)

    assert tags["title"] == [song.title]
    assert tags["artist"] == [song.artist.name]
    assert tags["album"] == [song.artist.album]
    assert tags["genre"] == [song.artist.genre]
    assert 20 <= tags.info.length <= 41
