"""The whole examination: every fact is looked up once, and every check made."""

from collections.abc import Mapping

from anagnorisisd.config.paths import Paths
from anagnorisisd.config.schema import Config
from anagnorisisd.doctor import checks, probe
from anagnorisisd.doctor.facts import MpdFacts
from anagnorisisd.doctor.finding import Finding
from anagnorisisd.domain.embedding import EmbeddingPlan
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.errors import EmbedderUnusable, StoreError
from anagnorisisd.storage.health import DatabaseHealth, inspect
from anagnorisisd.storage.state_marker import StateMarker
from anagnorisisd.storage.stores import FILE_NAME


async def examine(
    config: Config,
    places: Paths,
    variables: Mapping[str, str],
    now: float,
    link: MpdFacts | None = None,
) -> list[Finding]:
    """Return a finding for each subject but the configuration itself, in the order of the page.

    `now` is unix seconds; `link` is a daemon's link to MPD, without which MPD is asked.
    """
    folder = probe.at_folder(places.music, config.music)
    mpd = link or await probe.at_mpd(config.mpd, places.music, variables)
    condition, unreadable = _database(places)
    plan, unusable = _plan(config, places)
    executor = await probe.at_executor(config.embedding, plan, places.music)
    size = condition.size_bytes if condition else 0
    return [
        checks.music_folder(folder),
        checks.watch_limit(folder, config.music.watch, probe.at_watch_limit()),
        checks.mpd_link(mpd),
        checks.mpd_permissions(mpd),
        checks.stickers(mpd),
        checks.daemon(places.socket, probe.at_socket(places.socket)),
        checks.disk_space(probe.at_disk(places.state), size),
        checks.database(condition, unreadable),
        checks.embedder(str(plan.stamp) if plan else None, unusable, condition),
        checks.executor(executor),
        checks.confinement(await probe.at_confinement()),
        checks.evaluator(condition, config.training.minimum_ratings),
        checks.last_training(condition, config.training, now),
        checks.unit(probe.at_units()),
    ]


def _database(places: Paths) -> tuple[DatabaseHealth | None, str | None]:
    path = places.state / FILE_NAME
    try:
        StateMarker(places.state, places.cache).check(path)
        return inspect(path), None
    except StoreError as error:
        return None, str(error)


def _plan(config: Config, places: Paths) -> tuple[EmbeddingPlan | None, str | None]:
    settings = EmbedderSettings(config.embedding, places.models, places.cache)
    try:
        chooser = EmbedderSelector(settings)
        return chooser.plan(), chooser.unreadable or None
    except EmbedderUnusable as error:
        return None, str(error)
