"""The whole examination: every fact is looked up once, and every check made."""

from collections.abc import Mapping

from anagnorisisd.adapters.sqlite.inspection import Condition, inspect
from anagnorisisd.adapters.sqlite.stores import FILE_NAME
from anagnorisisd.adapters.state_marker import StateMarker
from anagnorisisd.config.places import Places
from anagnorisisd.config.schema import Config
from anagnorisisd.doctor import checks, look
from anagnorisisd.doctor.finding import Finding
from anagnorisisd.domain.embedding import Recipe
from anagnorisisd.errors import EmbedderUnusable, StoreError
from anagnorisisd.ml.registry import Chooser
from anagnorisisd.ml.settings import Settings


async def examine(
    config: Config, places: Places, variables: Mapping[str, str], now: float
) -> list[Finding]:
    """Return a finding for each subject but the configuration itself, in the order of the page.

    `now` is unix seconds.
    """
    folder = look.at_folder(places.music, config.music)
    mpd = await look.at_mpd(config.mpd, places.music, variables)
    condition, unreadable = _database(places)
    recipe, unusable = _recipe(config, places)
    executor = await look.at_executor(config.embedding, recipe, places.music)
    size = condition.size_bytes if condition else 0
    return [
        checks.music_folder(folder),
        checks.watch_limit(folder, config.music.watch, look.at_watch_limit()),
        checks.mpd_link(mpd),
        checks.mpd_permissions(mpd),
        checks.stickers(mpd),
        checks.daemon(places.socket, look.at_socket(places.socket)),
        checks.disk_space(look.at_disk(places.state), size),
        checks.database(condition, unreadable),
        checks.embedder(str(recipe.stamp) if recipe else None, unusable, condition),
        checks.executor(executor),
        checks.confinement(await look.at_confinement()),
        checks.evaluator(condition, config.training.minimum_ratings),
        checks.last_training(condition, config.training, now),
        checks.unit(look.at_units()),
    ]


def _database(places: Places) -> tuple[Condition | None, str | None]:
    path = places.state / FILE_NAME
    try:
        StateMarker(places.state, places.cache).check(path)
        return inspect(path), None
    except StoreError as error:
        return None, str(error)


def _recipe(config: Config, places: Places) -> tuple[Recipe | None, str | None]:
    settings = Settings(config.embedding, places.models, places.cache)
    try:
        chooser = Chooser(settings)
        return chooser.recipe(), chooser.unreadable or None
    except EmbedderUnusable as error:
        return None, str(error)
