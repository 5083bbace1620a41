"""A challenger is selected only if it is better by more than the error of the estimate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models import cross_validation, model_selection
from anagnorisisd.taste.models.cross_validation import corrected_standard_error

DEFAULT, CHALLENGER = model_selection.DEFAULT.kind, model_selection.CHALLENGERS[0].kind
MEAN = model_selection.BASELINE.kind


def errors_of_two_equals(count: int, draw: int) -> tuple[Floats64, Floats64]:
    """Return absolute errors of two regressions that see one half of what matters each."""
    rng = np.random.default_rng([count, draw])
    halves = rng.normal(size=(2, count, 8))
    ratings = halves.sum(axis=0) @ rng.normal(size=8) / 2 + rng.normal(size=count) * 1.5
    errors: list[list[Floats64]] = [[], []]
    for train, held in cross_validation.splits(count, draw):
        mean = ratings[train].mean()
        for half, found in zip(halves, errors, strict=True):
            seen = half[train]
            slopes = np.linalg.solve(
                seen.T @ seen + 3 * np.eye(8), seen.T @ (ratings[train] - mean)
            )
            found.append(np.abs(half[held] @ slopes + mean - ratings[held]))
    first, second = (np.concatenate(found) for found in errors)
    return first, second


@pytest.mark.slow
@pytest.mark.parametrize(("count", "draws"), [(50, 600), (100, 400), (600, 300)])
def test_equally_good_challenger_is_rarely_selected(count: int, draws: int) -> None:
    wins = 0
    for draw in range(draws):
        ours, theirs = errors_of_two_equals(count, draw)
        apart = {DEFAULT: ours, CHALLENGER: theirs, MEAN: ours + 1}
        wins += model_selection.best_kind(apart, count) == CHALLENGER

    # A normal variable is above one standard deviation in 15.9 % of cases.
    assert 0.05 < wins / draws < 0.20


def test_clearly_better_challenger_is_selected() -> None:
    ours, _ = errors_of_two_equals(50, 0)
    noise = np.random.default_rng(0).normal(size=len(ours)) * 0.1

    assert (
        model_selection.best_kind({DEFAULT: ours, CHALLENGER: ours - 0.5 + noise, MEAN: ours}, 50)
        == CHALLENGER
    )


def test_corrected_standard_error_of_an_example() -> None:
    differences = np.array([1.0, 3.0, 4.0, 6.0, 0.0, 2.0, 3.0, 5.0])

    # Folds of 2 out of 4 held out, twice: means 2, 5, 1, 4; variance 10 / 3.
    assert corrected_standard_error(differences, [2, 2, 2, 2], 4) == pytest.approx(
        np.sqrt((1 / 4 + 2 / 2) * 10 / 3)
    )


@given(st.integers(min_value=2, max_value=1500), st.integers(min_value=0, max_value=99))
def test_fold_sizes_do_not_depend_on_the_seed(count: int, seed: int) -> None:
    held = cross_validation.fold_sizes(count)

    assert held == [len(rows) for _, rows in cross_validation.splits(count, seed)]
    assert sum(held) == count * cross_validation.repeats(count)


@given(st.lists(st.floats(min_value=-10, max_value=10), min_size=10, max_size=40))
def test_repeating_the_same_errors_hardly_reduces_the_standard_error(once: list[float]) -> None:
    count = len(once)
    held = [len(part) for part in np.array_split(np.arange(count), 5)]
    alone = corrected_standard_error(np.array(once), held, count)

    thrice = corrected_standard_error(np.array(once * 3), held * 3, count)

    assert thrice >= 0.75 * alone
