"""The parts of the bench about more than one computer run, in small."""

import pytest

from bench import executors, scale
from tests.bench.test_bench import rows

pytestmark = pytest.mark.slow


def test_draws_out_what_size_costs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scale, "SIZES", (60, 120))
    monkeypatch.setattr(scale, "SONGS", 1)
    monkeypatch.setattr("bench.scaling.engines.find_spec", lambda _: None)

    scale.run(full=False)

    assert rows(capsys.readouterr().out) == (1 + 2) + (1 + 7) + (1 + 2) + (1 + 1)


@pytest.mark.xdist_group("dask")
@pytest.mark.timeout(400)
def test_embeds_by_workers_beside_the_daemons_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(executors, "WORKERS", (1,))
    monkeypatch.setattr(executors, "SONGS", 1)
    monkeypatch.setattr(executors, "ROUNDS", 1)

    executors.run(full=False)

    assert rows(capsys.readouterr().out) == 1 + 3
