"""The registry of embedders, and the choice between them. It imports no heavy package.

An embedder is a module with `offer(settings) -> EmbeddingPlan | None`: how its vectors are made, or
`None` without weights. `docs/embedders.md` shows how to add one.
"""

import logging
from collections.abc import Callable

from anagnorisisd.config.schema import EmbedderChoice
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingPlan
from anagnorisisd.embedding.embedder import EmbedderSettings
from anagnorisisd.embedding.features import plan as features
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
"""By the name in the configuration; `auto` selects the first that can be used."""


def plan_for(stamp: EmbedderStamp, settings: EmbedderSettings) -> EmbeddingPlan:
    """Return the plan for vectors of exactly this `stamp`.

    Raises:
        EmbedderUnusable: they cannot be made on this computer; the message says which can.
    """
    alternatives = []
    for offer in OFFERS.values():
        try:
            plan = offer(settings)
        except EmbedderUnusable as error:
            alternatives.append(str(error))
            continue
        if plan is not None and plan.stamp == stamp:
            return plan
        if plan is not None:
            alternatives.append(f"makes {plan.stamp}")
    raise EmbedderUnusable(f"cannot make {stamp}: {', '.join(alternatives)}")


class EmbedderSelector:
    """Selects the configured embedder, and excludes those that failed."""

    def __init__(self, settings: EmbedderSettings) -> None:
        self._settings = settings
        self._refused: set[EmbedderStamp] = set()
        self._logged: set[str] = set()
        self.unreadable = ""
        """Why the last selection skipped an embedder: its weights cannot be read."""
        self.not_installed = ""
        """Why the last selection skipped an embedder: a package for its weights is missing."""

    def plan(self) -> EmbeddingPlan:
        """Return the plan of the selected embedder; may read files.

        Raises:
            EmbedderUnusable: the configured embedder cannot be used.
        """
        wanted = self._settings.config.embedder
        if wanted is not EmbedderChoice.AUTO:
            return self._plan_of(wanted.value)
        self.unreadable = self.not_installed = ""
        for name in OFFERS:
            try:
                return self._plan_of(name)
            except WeightsUnreadable as error:
                self.unreadable = str(error)
                self._log_once(f"embedder {name}: {error}", logging.WARNING)
            except EmbedderNotInstalled as error:
                self.not_installed = str(error)
                self._log_once(self.not_installed, logging.WARNING)
            except EmbedderUnusable as error:
                self._log_once(str(error), logging.DEBUG)
        raise EmbedderUnusable("no embedder can be used")

    def wanted(self) -> EmbedderStamp:
        """Return the stamp of the selected embedder; raises the errors of `plan`.

        Raises:
            WeightsUnreadable: there are weights that cannot be read at present. A failing disk
                is no reason to embed the whole library with another embedder.
        """
        plan = self.plan()
        if self.unreadable:
            raise WeightsUnreadable(self.unreadable)
        return plan.stamp

    def refuse(self, stamp: EmbedderStamp) -> None:
        """Do not select this embedder again: it failed."""
        self._refused.add(stamp)

    def _plan_of(self, name: str) -> EmbeddingPlan:
        plan = OFFERS[name](self._settings)
        if plan is None:
            raise EmbedderUnusable(
                f"embedder {name}: there are no weights below {self._settings.model_directory}; "
                f"`anagnorisisd fetch-model {name}` downloads them"
            )
        if plan.stamp in self._refused:
            raise EmbedderUnusable(f"embedder {plan.stamp} was tried and cannot be used")
        return plan

    def _log_once(self, reason: str, level: int) -> None:
        """Log once why an embedder is not used."""
        if reason not in self._logged:
            self._logged.add(reason)
            log.log(level, "%s", reason)
