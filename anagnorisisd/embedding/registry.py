"""The embedders that there are. Light: the parent asks here what to have the workers do.

An embedder is a module with `offer(settings) -> EmbeddingPlan | None`: how its vectors are made, or
`None` while it cannot be used here. `docs/embedders.md` shows how to add one.
"""

import logging
from collections.abc import Callable

from anagnorisisd.config.schema import EmbedderChoice
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingPlan
from anagnorisisd.embedding import features
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.mert import plan as mert
from anagnorisisd.embedding.musicnn import plan as musicnn
from anagnorisisd.errors import EmbedderNotInstalled, EmbedderUnusable, WeightsUnreadable

log = logging.getLogger(__name__)

Offer = Callable[[EmbedderSettings], EmbeddingPlan | None]

OFFERS: dict[str, Offer] = {
    "mert": mert.offer,
    "musicnn": musicnn.offer,
    "features": features.offer,
}
"""By the name that the listener writes; `auto` takes the first that can be used."""


def plan_for(stamp: EmbedderStamp, settings: EmbedderSettings) -> EmbeddingPlan:
    """Return how vectors of exactly this `stamp` are made here.

    Raises:
        EmbedderUnusable: they cannot be made here; it says what could be instead.
    """
    instead = []
    for offer in OFFERS.values():
        try:
            plan = offer(settings)
        except EmbedderUnusable as error:
            instead.append(str(error))
            continue
        if plan is not None and plan.stamp == stamp:
            return plan
        if plan is not None:
            instead.append(f"makes {plan.stamp}")
    raise EmbedderUnusable(f"cannot make {stamp}: {', '.join(instead)}")


class EmbedderSelector:
    """Chooses the embedder that the listener wants, and remembers what was of no use."""

    def __init__(self, settings: EmbedderSettings) -> None:
        self._settings = settings
        self._refused: set[EmbedderStamp] = set()
        self._said: set[str] = set()
        self.unreadable = ""
        """Why the last choice passed over weights that cannot be read."""
        self.not_installed = ""
        """Why the last choice passed over weights that nothing here can compute with."""

    def plan(self) -> EmbeddingPlan:
        """Return how vectors are to be made; looks at files, and reads new weights once.

        Raises:
            EmbedderUnusable: what the listener wants cannot be had.
        """
        wanted = self._settings.config.embedder
        if wanted is not EmbedderChoice.AUTO:
            return self._offered(wanted.value)
        self.unreadable = self.not_installed = ""
        for name in OFFERS:
            try:
                return self._offered(name)
            except WeightsUnreadable as error:
                self.unreadable = str(error)
                self._say(f"embedder {name}: {error}", logging.WARNING)
            except EmbedderNotInstalled as error:
                self.not_installed = str(error)
                self._say(self.not_installed, logging.WARNING)
            except EmbedderUnusable as error:
                self._say(str(error), logging.DEBUG)
        raise EmbedderUnusable("no embedder can be used")

    def wanted(self) -> EmbedderStamp:
        """Return the stamp of what `plan` makes; raises the same.

        Raises:
            WeightsUnreadable: there are weights that cannot be read at present. A disk that
                fails is no reason to embed the whole library by something else.
        """
        plan = self.plan()
        if self.unreadable:
            raise WeightsUnreadable(self.unreadable)
        return plan.stamp

    def refuse(self, stamp: EmbedderStamp) -> None:
        """Never choose this one again: it was tried."""
        self._refused.add(stamp)

    def _offered(self, name: str) -> EmbeddingPlan:
        plan = OFFERS[name](self._settings)
        if plan is None:
            raise EmbedderUnusable(
                f"embedder {name}: there are no weights below {self._settings.model_directory}; "
                f"`anagnorisisd fetch-model {name}` downloads them"
            )
        if plan.stamp in self._refused:
            raise EmbedderUnusable(f"embedder {plan.stamp} was tried and cannot be used")
        return plan

    def _say(self, reason: str, level: int) -> None:
        """Say why something better is not used, once."""
        if reason not in self._said:
            self._said.add(reason)
            log.log(level, "%s", reason)
