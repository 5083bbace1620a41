"""Serialization of a fitted model: named arrays in numpy's own format, never a pickle."""

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import FeatureStats
from anagnorisisd.errors import EvaluatorUnreadable
from anagnorisisd.taste.models.inputs import TRAITS, Examples, ImplicitExamples, Inputs
from anagnorisisd.taste.models.model import Settings

VERSION = 3
SETTING, WEIGHT = "setting.", "weight."


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A fitted model with its examples.

    `track_ids`, `[n]`, are those of the examples.
    """

    kind: str
    settings: Settings
    weights: Settings
    examples: Examples
    track_ids: NDArray[np.str_]
    feature_stats: FeatureStats


def dump(saved: SavedModel) -> bytes:
    """Return `saved` as bytes, the same bytes for the same model."""
    inputs, heard = saved.examples.inputs, saved.examples.implicit_feedback
    arrays: dict[str, NDArray[Any]] = {
        "version": np.array(VERSION),
        "kind": np.array(saved.kind),
        "sound": inputs.sound,
        "codes": inputs.codes,
        "year": inputs.year,
        "ratings": saved.examples.ratings,
        "rated_at": saved.examples.rated_at,
        "liking": saved.examples.liking,
        "heard_sound": heard.inputs.sound,
        "heard_codes": heard.inputs.codes,
        "heard_year": heard.inputs.year,
        "heard_liking": heard.liking,
        "track_ids": saved.track_ids,
        "moments_mean": saved.feature_stats.mean,
        "moments_stddev": saved.feature_stats.stddev,
        "moments_count": np.array(saved.feature_stats.count),
        "segments": np.array(inputs.segments, np.int64),
    }
    arrays |= {SETTING + name: array for name, array in saved.settings.items()}
    arrays |= {WEIGHT + name: array for name, array in saved.weights.items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def load(blob: bytes) -> SavedModel:
    """Return the model that was saved.

    Raises:
        EvaluatorUnreadable: the bytes are damaged or of another version.
    """
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        version = int(arrays["version"])
        if version == VERSION:
            return _checked(_assemble(arrays))
    except (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise EvaluatorUnreadable(
            f"the evaluator cannot be read: {error}; train it anew"
        ) from error
    raise EvaluatorUnreadable(f"the evaluator is of format {version}, not {VERSION}; train it anew")


def _assemble(arrays: dict[str, NDArray[Any]]) -> SavedModel:
    segments = tuple(map(int, arrays["segments"]))
    inputs = Inputs(arrays["sound"], arrays["codes"], arrays["year"], segments)
    heard = Inputs(arrays["heard_sound"], arrays["heard_codes"], arrays["heard_year"], segments)
    return SavedModel(
        kind=str(arrays["kind"]),
        settings=_named(arrays, SETTING),
        weights=_named(arrays, WEIGHT),
        examples=Examples(
            inputs,
            arrays["ratings"],
            arrays["rated_at"],
            arrays["liking"],
            ImplicitExamples(heard, arrays["heard_liking"]),
        ),
        track_ids=arrays["track_ids"],
        feature_stats=FeatureStats(
            arrays["moments_mean"],
            arrays["moments_stddev"],
            int(arrays["moments_count"]),
            segments,
        ),
    )


def _named(arrays: dict[str, NDArray[Any]], prefix: str) -> Settings:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _checked(saved: SavedModel) -> SavedModel:
    """Return `saved` if its arrays fit together; raise `ValueError` otherwise."""
    count, dimension = saved.examples.inputs.sound.shape
    shapes = (
        saved.examples.inputs.codes.shape == (count, len(TRAITS)),
        saved.examples.inputs.year.shape == (count,),
        saved.examples.ratings.shape == (count,),
        saved.examples.liking.shape == (count,),
        saved.track_ids.shape == (count,),
        saved.feature_stats.mean.shape == (dimension,),
        saved.feature_stats.stddev.shape == (dimension,),
        sum(saved.feature_stats.segments) == dimension,
    )
    if not (count and all(shapes)):
        raise ValueError("its arrays do not fit together")
    if not np.isfinite(saved.examples.ratings).all():
        raise ValueError("a rating in it is not a number")
    return saved
