"""Runs all checks."""

from collections.abc import Mapping
from pathlib import Path

from anagnorisisd.config.paths import Paths
from anagnorisisd.config.schema import Config, EmbedderChoice, Embedding, MusicSource
from anagnorisisd.doctor import checks, probe, systemd_unit
from anagnorisisd.doctor.finding import Finding
from anagnorisisd.doctor.probe import MpdFacts
from anagnorisisd.domain.embedding import EmbeddingPlan
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.musicnn import weights
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.errors import EmbedderUnusable, StoreError
from anagnorisisd.storage.health import DatabaseHealth, inspect
from anagnorisisd.storage.state_directory import StateMarker
from anagnorisisd.storage.stores import FILE_NAME


async def run_checks(
    config: Config,
    paths: Paths,
    variables: Mapping[str, str],
    now: float,
    connection: MpdFacts | None = None,
) -> list[Finding]:
    """Return a finding for each subject except the configuration, in the order of the output.

    `now` is unix seconds; `connection` is the running daemon's, else a new one to MPD is opened.
    """
    has_files = config.music.source is MusicSource.FILES
    music = probe.probe_music(paths.music, config.music) if has_files else None
    library = paths.music if has_files else None
    mpd = connection or await probe.probe_mpd(config.mpd, library, variables)
    health, database_error = _inspect_database(paths)
    plan, embedder_error = _embedding_plan(config, paths)
    executor = (
        await probe.probe_executor(config.embedding, plan, paths.music)
        if has_files
        else probe.ExecutorFacts()
    )
    size = health.size_bytes if health else 0
    return [
        checks.check_music(music),
        checks.check_watch_limit(music, config.music.watch, probe.probe_watch_limit()),
        checks.check_mpd(mpd),
        checks.check_mpd_permissions(mpd),
        checks.check_mpd_database(mpd),
        checks.check_stickers(mpd),
        checks.check_socket(paths.socket, probe.probe_socket(paths.socket)),
        checks.check_disk_space(probe.probe_disk(paths.state), size),
        checks.check_database(health, database_error),
        checks.check_embedder(
            str(plan.stamp) if plan else None,
            embedder_error,
            health,
            has_musicnn=not _lacks_musicnn(config.embedding, plan),
        )
        if has_files
        else checks.embedder_without_files(),
        checks.check_executor(executor),
        checks.check_confinement(await probe.probe_confinement()),
        checks.check_evaluator(health, config.training.minimum_ratings),
        checks.check_last_training(health, config.training, now),
        systemd_unit.check_units(systemd_unit.read_units()),
    ]


def _inspect_database(paths: Paths) -> tuple[DatabaseHealth | None, str | None]:
    path = paths.state / FILE_NAME
    try:
        StateMarker(paths.state, paths.cache).check(path)
        return inspect(path), None
    except StoreError as error:
        return None, str(error)


def _lacks_musicnn(config: Embedding, plan: EmbeddingPlan | None) -> bool:
    """Return whether `auto` fell back to the features for want of weights."""
    return (
        config.embedder is EmbedderChoice.AUTO
        and plan is not None
        and plan.stamp.name == EmbedderChoice.FEATURES
    )


def _embedding_plan(config: Config, paths: Paths) -> tuple[EmbeddingPlan | None, str | None]:
    settings = EmbedderSettings(config.embedding, paths.models, paths.cache)
    try:
        selector = EmbedderSelector(settings)
        plan = selector.plan()
        if plan.stamp.name == EmbedderChoice.MUSICNN:
            weights.load(Path(plan.stages[0].arguments[0]))  # the worker would refuse others
        return plan, selector.unreadable or selector.not_installed or None
    except EmbedderUnusable as error:
        return None, str(error)
