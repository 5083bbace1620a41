"""MusiCNN's weights: cut out of the published wheel, stored as one npz file, verified.

The wheel `musicnn` 0.1.0 holds checkpoints of TensorFlow 1. One file of it is read, as bytes: the
arrays lie in it as little-endian float32, between those of the optimiser, at the offsets below (by
its `.index`). The wheel is never installed and none of its code is run.
"""

import hashlib
import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.errors import EmbedderUnusable, FetchFailed, MediaError, WeightsUnreadable
from anagnorisisd.library.file_access import open_regular

Arrays = Mapping[str, NDArray[np.float32]]
"""The arrays of the network by the names of the checkpoint."""

CHECKPOINT = "musicnn/MSD_musicnn/.data-00000-of-00001"
CHECKPOINT_SHA256 = "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6"
CHECKPOINT_BYTES = 9_465_596

ARRAYS_SHA256 = "7ff1b2876cc40dd4d17e7cc574f3ac88476142337d78d0eee09af32653c82c35"
"""Digest of the arrays that are used; a part of the stamp of every vector."""

FILE_NAME = "musicnn.npz"
PACKAGED = Path(__file__).with_name(FILE_NAME)
"""Where `make setup` stores the weights, and where a wheel of the daemon carries them."""

REMEDY = "remove it, or run `anagnorisisd fetch-model musicnn`"

NOTICE_NAME = "notice"
NOTICE = """\
MusiCNN: the trained weights of the wheel musicnn 0.1.0, https://github.com/jordipons/musicnn

Copyright (c) Music Technology Group, Universitat Pompeu Fabra 2019. Code developed by Jordi Pons
(www.jordipons.me).

Permission to use, copy, modify, and/or distribute this software for any purpose with or without
fee is hereby granted, provided that the above copyright notice and this permission notice appear
in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS
SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE
AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT,
NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
"""

LAYERS: dict[str, tuple[tuple[int, ...], int, int]] = {
    "conv2d": ((7, 38, 1, 204), 81_176, 78_728),
    "conv2d_1": ((7, 67, 1, 204), 734_792, 732_344),
    "conv2d_2": ((128, 1, 1, 51), 1_883_516, 1_882_904),
    "conv2d_3": ((64, 1, 1, 51), 1_962_464, 1_961_852),
    "conv2d_4": ((32, 1, 1, 51), 2_002_244, 2_001_632),
    "conv2d_5": ((7, 561, 1, 64), 2_022_596, 2_021_828),
    "conv2d_6": ((7, 64, 1, 64), 5_039_300, 5_038_532),
    "conv2d_7": ((7, 64, 1, 64), 5_384_132, 5_383_364),
    "dense": ((1506, 200), 5_730_596, 5_728_196),
    "dense_1": ((200, 50), 9_345_596, 9_344_996),
}
"""Shape of the kernel, and the byte offsets of kernel and bias."""

BATCH_NORMS: tuple[tuple[int, tuple[int, int, int, int]], ...] = (
    (1, (0, 12, 24, 28)),
    (204, (32, 2_480, 4_928, 5_744)),
    (204, (12_960, 15_408, 17_856, 18_672)),
    (51, (19_488, 20_100, 20_712, 20_916)),
    (51, (21_120, 21_732, 22_344, 22_548)),
    (51, (22_752, 23_364, 23_976, 24_180)),
    (64, (24_384, 25_152, 25_920, 26_176)),
    (64, (26_432, 27_200, 27_968, 28_224)),
    (64, (28_480, 29_248, 30_016, 30_272)),
    (1506, (30_528, 48_600, 66_672, 72_696)),
    (200, (6_560, 8_960, 11_360, 12_160)),
)
"""Size, and the byte offsets of `MOMENTS`, of batch normalisation 0 to 10."""

MOMENTS = ("beta", "gamma", "moving_mean", "moving_variance")


def _places() -> dict[str, tuple[int, tuple[int, ...]]]:
    """Return the byte offset and the shape of each array that is used."""
    places: dict[str, tuple[int, tuple[int, ...]]] = {}
    for name, (shape, kernel, bias) in LAYERS.items():
        places[f"{name}/kernel"] = kernel, shape
        places[f"{name}/bias"] = bias, shape[-1:]
    for number, (size, offsets) in enumerate(BATCH_NORMS):
        for moment, offset in zip(MOMENTS, offsets, strict=True):
            places[f"batch_normalization_{number}/{moment}"] = offset, (size,)
    return places


PLACES = _places()

NPZ_START = b"PK\x03\x04"
"""An npz file is a zip archive."""

MIN_FILE_BYTES = sum(4 * math.prod(shape) for _, shape in PLACES.values())
"""The arrays alone."""

MAX_FILE_BYTES = 8 << 20


def cut_out(wheel: BinaryIO) -> Arrays:
    """Return the arrays of the network from the published wheel.

    Raises:
        FetchFailed: the file is no zip archive, or does not hold the published checkpoint.
    """
    content = _checkpoint(wheel)
    if hashlib.sha256(content).hexdigest() != CHECKPOINT_SHA256:
        raise FetchFailed(f"{CHECKPOINT} in the wheel is not the published one")
    return arrays_in(content)


def arrays_in(checkpoint: bytes) -> Arrays:
    """Return the arrays of the network that lie in a checkpoint."""
    return {
        name: np.frombuffer(checkpoint, "<f4", math.prod(shape), offset)
        .reshape(shape)
        .astype(np.float32)
        for name, (offset, shape) in PLACES.items()
    }


def _checkpoint(wheel: BinaryIO) -> bytes:
    """Return the checkpoint; no more than its published size is unpacked, whatever is declared."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(CHECKPOINT) as member:
            return member.read(CHECKPOINT_BYTES + 1)
    except KeyError:
        raise FetchFailed(f"the wheel does not contain {CHECKPOINT}") from None
    except Exception as error:  # zipfile has half a dozen types of errors for damaged archives
        raise FetchFailed(f"the wheel cannot be read: {error}") from None


def save(arrays: Arrays, path: Path) -> None:
    """Store the arrays with the licence notice at `path`; the file is replaced atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)  # it may be a symbolic link to another file, or a FIFO
    with partial.open("xb") as file:
        np.savez(file, **{**arrays, NOTICE_NAME: np.array(NOTICE.encode())})  # type: ignore[arg-type]
    partial.replace(path)


def load(path: Path) -> Arrays:
    """Return the arrays stored at `path`.

    Raises:
        WeightsUnreadable: the disk does not let the file be read.
        EmbedderUnusable: they are not the published weights.
    """
    try:
        with open_regular(path) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except MediaError as error:
        raise EmbedderUnusable(f"{path} is {error}; {REMEDY}") from None
    except OSError as error:
        raise WeightsUnreadable(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        arrays = _parse(content)
    except Exception as error:  # numpy and zipfile have many errors for damaged files
        raise EmbedderUnusable(f"{path} is not a file of weights: {error}; {REMEDY}") from None
    if digest(arrays) != ARRAYS_SHA256:
        raise EmbedderUnusable(f"{path} does not hold the published weights; {REMEDY}")
    return arrays


def _parse(content: bytes) -> Arrays:
    """Return the arrays of an uncompressed npz file; no pickle is loaded."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("it is compressed")  # `save` does not: no file is larger than it looks
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files if name != NOTICE_NAME}


def digest(arrays: Arrays) -> str:
    """Return the SHA-256 of names, shapes and values, in hexadecimal digits."""
    summed = hashlib.sha256()
    for name in sorted(arrays):
        summed.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode())
        summed.update(np.ascontiguousarray(arrays[name]).tobytes())
    return summed.hexdigest()


def downloaded(model_directory: Path) -> Path:
    """Return where `anagnorisisd fetch-model musicnn` stores the weights."""
    return model_directory / "musicnn" / FILE_NAME


def find(model_directory: Path) -> Path | None:
    """Return the file with the weights: the one that was downloaded, else the packaged one.

    Only its size and its first bytes are checked: hashing it would take a tenth of the daemon's
    start. The worker that loads the weights refuses others than the published ones.

    Raises:
        WeightsUnreadable: there is one, but the disk does not let it be read.
        EmbedderUnusable: there is one, but it cannot be a file of the published weights.
    """
    for path in (downloaded(model_directory), PACKAGED):
        try:
            with open_regular(path) as file:
                start, size = file.read(len(NPZ_START)), path.stat().st_size
        except FileNotFoundError:
            continue
        except MediaError as error:
            raise EmbedderUnusable(f"{path} is {error}; {REMEDY}") from None
        except OSError as error:
            raise WeightsUnreadable(f"{path} cannot be read: {error.strerror}") from None
        if start != NPZ_START or not MIN_FILE_BYTES <= size <= MAX_FILE_BYTES:
            raise EmbedderUnusable(f"{path} is not a file of weights; {REMEDY}")
        return path
    return None
