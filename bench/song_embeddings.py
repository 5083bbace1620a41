"""Real songs, embedded by every embedder: features, MusiCNN, both, MERT.

The songs are those of `ANAGNORISIS_BENCH_MUSIC`, else the demo library. MERT has random weights of
the real size, and hears one window of each song.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.decode import read_windows
from anagnorisisd.embedding.embedder import Vector
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.embedding.features.spectral import RATE
from anagnorisisd.embedding.fetch_model import download_wheel
from anagnorisisd.embedding.mert import inference
from anagnorisisd.embedding.mert import plan as mert_plan
from anagnorisisd.embedding.mert.inference import Engine, EnginePlan
from anagnorisisd.embedding.musicnn import plan, weights
from anagnorisisd.embedding.musicnn.network import Network
from anagnorisisd.errors import DownloadFailed
from bench.interleaved_runs import processes
from bench.music_files import own_songs
from tools.demo import library as demo

PROCESSES = 2
MTT = "musicnn/MTT_musicnn/.data-00000-of-00001"
MTT_SHA256 = "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab"

FEATURES, MUSICNN, BOTH = "features", "MusiCNN alone", "musicnn (both)"
RANDOM_MERT, RANDOM_MERT_BOTH = "MERT, random weights", "features and MERT, random weights"
MERT_LAYER = 12


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of all songs by one embedder, `[songs, d]`, and the lengths of their segments."""

    vectors: Vectors
    segments: tuple[int, ...] = ()


Embeddings = Mapping[str, Embedded]


@contextmanager
def songs() -> Iterator[tuple[Sequence[Path], Path]]:
    """Yield the songs and an empty directory; the demo library exists only meanwhile."""
    with TemporaryDirectory() as scratch:
        found = own_songs()
        if not found:
            demo.make(Path(scratch) / "demo")
            found = sorted(path for path in Path(scratch).rglob("*") if path.is_file())
        yield found, Path(scratch)


def embed(found: Sequence[Path], scratch: Path) -> Embeddings:
    """Return the embeddings of the songs by each embedder that is installed."""
    with processes(PROCESSES) as pool:
        embeddings = _features_and_musicnn(pool, found)
        if mert := random_mert(scratch):
            random = np.stack(list(pool.map(partial(mert_of_one_window, mert), found)))
            both = np.hstack([embeddings[FEATURES].vectors, random])
            embeddings[RANDOM_MERT] = Embedded(random)
            embeddings[RANDOM_MERT_BOTH] = Embedded(
                both, (features.STAMP.dimension, random.shape[1])
            )
    return embeddings


def _features_and_musicnn(pool: ProcessPoolExecutor, found: Sequence[Path]) -> dict[str, Embedded]:
    if not weights.PACKAGED.exists():
        print("The weights of MusiCNN are missing: `make setup`.\n")
        return {FEATURES: Embedded(np.stack(list(pool.map(features_of, found))))}
    both = np.stack(list(pool.map(musicnn_of, found)))
    size = features.STAMP.dimension
    return {
        FEATURES: Embedded(both[:, :size]),
        MUSICNN: Embedded(both[:, size:]),
        BOTH: Embedded(both, plan.STAMP.segments),
    }


def features_of(path: Path) -> Vector:
    """Return the vector of the embedder `features`."""
    return features.embed(str(path))


def musicnn_of(path: Path) -> Vector:
    """Return the vector of the embedder `musicnn`."""
    return plan.embed(str(path), str(weights.PACKAGED))


def random_mert(scratch: Path) -> EnginePlan | None:
    """Return a model with random weights, written to `scratch`; `None` without torch."""
    if not (find_spec("torch") and find_spec("transformers")):
        print("No MERT: torch and transformers are not installed (`make setup EXTRAS=mert`).\n")
        return None
    folder = scratch / "mert"
    # In a process of its own: the peak memory of this one would count as that of all it starts.
    with processes(1) as pool:
        pool.submit(_write_random_mert, folder).result()
    return EnginePlan(
        folder=str(folder),
        sha256="random",
        layer=MERT_LAYER,
        engine=Engine.TORCH,
        bfloat16=mert_plan.has_bfloat16(),
        threads=1,
        cache_directory=str(scratch),
    )


def _write_random_mert(folder: Path) -> None:
    from tests.support import mert

    mert.make_folder(folder, mert.REAL)


def mert_of(model: EnginePlan, path: Path) -> Vector:
    """Return MERT's vector of a song."""
    return inference.embed(inference.read(str(path)), model)


def mert_of_one_window(model: EnginePlan, path: Path) -> Vector:
    """Return MERT's vector of the middle one of the windows that the features hear."""
    windows = read_windows(
        str(path), rate=inference.RATE, seconds=inference.WINDOW_SECONDS, count=features.WINDOWS
    )
    middle = len(windows) // 2
    window = np.resize(windows[middle : middle + 1], (1, inference.WINDOW_SAMPLES))
    return inference.embed(window, model)


def other_tags(found: Sequence[Path], scratch: Path) -> Vectors | None:
    """Return the tag logits of MusiCNN trained on MagnaTagATune, `[songs, 50]`.

    `None`, with a message, if the wheel that contains it cannot be downloaded.
    """
    try:
        wheel = download_wheel(scratch)
    except DownloadFailed as error:
        print(f"No listeners who like another network's tags: {error}.\n")
        return None
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(MTT)
    assert hashlib.sha256(content).hexdigest() == MTT_SHA256
    (scratch / "mtt").write_bytes(content)
    with processes(PROCESSES) as pool:
        return np.stack(list(pool.map(partial(_tags_of, scratch / "mtt"), found)))


def _tags_of(checkpoint: Path, path: Path) -> Vectors:
    windows = read_windows(
        str(path), rate=RATE, seconds=features.WINDOW_SECONDS, count=features.WINDOWS
    )
    return plan.describe(windows, _network(checkpoint))[1]


@cache
def _network(checkpoint: Path) -> Network:
    return Network(weights.arrays_in(checkpoint.read_bytes()))
