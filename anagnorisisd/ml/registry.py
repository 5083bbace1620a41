"""The embedders that there are. Light: the parent asks here what to have the workers do.

An embedder is a module with `offer(settings) -> Recipe | None`: how its vectors are made, or
`None` while it cannot be used here. `docs/embedders.md` shows how to add one.
"""

from collections.abc import Callable, Collection

from anagnorisisd.config.schema import EmbedderChoice
from anagnorisisd.domain.embedding import EmbedderStamp, Recipe
from anagnorisisd.errors import EmbedderUnusable
from anagnorisisd.ml import features
from anagnorisisd.ml.settings import Settings

Offer = Callable[[Settings], Recipe | None]

OFFERS: dict[str, Offer] = {
    "features": features.offer,
}
"""By the name that the listener writes; `auto` takes the first that can be used."""


def choose(settings: Settings, refused: Collection[EmbedderStamp] = ()) -> Recipe:
    """Return the recipe of the embedder that the listener wants, if it can be used.

    Those in `refused` were tried already, and turned out to be unusable.

    Raises:
        EmbedderUnusable: there is none.
    """
    wanted = settings.config.embedder
    names = list(OFFERS) if wanted is EmbedderChoice.AUTO else [wanted.value]
    for name in names:
        recipe = OFFERS[name](settings)
        if recipe and recipe.stamp not in refused:
            return recipe
    raise EmbedderUnusable(
        f"embedding.embedder: {wanted.value} has no usable weights below "
        f"{settings.model_directory}; fetch them with `anagnorisisd fetch-model`, or set auto"
    )


class Chooser:
    """`choose`, with a memory of what turned out to be unusable."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._refused: set[EmbedderStamp] = set()

    def recipe(self) -> Recipe:
        """Return the recipe of the embedder to use; raise `EmbedderUnusable` if there is none."""
        return choose(self._settings, self._refused)

    def wanted(self) -> EmbedderStamp:
        """Return the stamp of the embedder to use; raise `EmbedderUnusable` if there is none."""
        return self.recipe().stamp

    def refuse(self, stamp: EmbedderStamp) -> None:
        """Never choose this one again."""
        self._refused.add(stamp)
