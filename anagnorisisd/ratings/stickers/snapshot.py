"""Snapshots of MPD's stickers, which tell a change by the listener from a loss by MPD.

MPD reports that some sticker changed, but not which, and after a restart it can come back with
other stickers, or none. So a change is taken for the listener's only between two complete snapshots
of one session. A missing sticker is taken for removed only if, in addition, MPD did not update its
database in between, few disappeared at once, and the next snapshot lacks it, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import Rating
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.ratings.stickers import rules

EVENT_DELAY_SECONDS = 0.1
"""How late MPD may report that a sticker changed."""


@dataclass(slots=True)
class Snapshot:
    """All stickers of one name, and how they differ from the previous snapshot.

    `last_entry` is the newest entry of the rating history at its start, and `possible_losses` the
    number of events until then at which MPD may have lost stickers. `previous` is `None` if there
    is no earlier snapshot of this session. `unconfirmed` stickers are missing for the first time,
    `removed` ones for the second. `lost` is the number of those that are missing all at once.
    `checked_entries` has the entry of each track whose stickers were read or written after that
    entry was added.
    """

    session: int
    last_entry: int
    possible_losses: int
    texts: dict[Uri, str] = field(default_factory=dict)
    previous: "Snapshot | None" = None
    unconfirmed: frozenset[Uri] = frozenset()
    removed: frozenset[Uri] = frozenset()
    lost: int = 0
    checked_entries: dict[TrackId, int] = field(default_factory=dict)

    def changed(self, uri: Uri) -> bool:
        """Return whether the listener changed or removed this sticker in this session."""
        if uri in self.removed:
            return True
        previous, text = self.previous, self.texts.get(uri)
        return previous is not None and text is not None and text != previous.texts.get(uri)

    def is_after(self, track_id: TrackId, entry: int) -> bool:
        """Return whether changes since `previous` are known to be newer than a rating."""
        previous = self.previous
        return previous is not None and (
            entry <= previous.last_entry or entry == previous.checked_entries.get(track_id)
        )


class SnapshotReader:
    """Reads the stickers of one name; `is_meaningful` tells which texts can be lost."""

    def __init__(self, player: Player, name: str, is_meaningful: Callable[[str], bool]) -> None:
        self._player = player
        self._name = name
        self._is_meaningful = is_meaningful
        self._latest: Snapshot | None = None
        self._current: Snapshot | None = None
        self._recorded: dict[Uri, str | None] = {}
        self._unconfirmed: frozenset[Uri] = frozenset()
        self._possible_losses = 0
        self._stable = False
        self._event_at = 0.0

    def record_event(self, at: float) -> None:
        """Record when MPD last reported that some sticker changed, in unix seconds."""
        self._event_at = at

    def has_event_after(self, rating: Rating) -> bool:
        """Return whether MPD reported a change of some sticker after this rating was set."""
        return self._event_at > rating.rated_at + EVENT_DELAY_SECONDS

    def expect_losses(self) -> None:
        """Do not take stickers that are missing from now on for removed by the listener."""
        self._possible_losses += 1
        self._unconfirmed = frozenset()
        self._stable = False

    def record(self, texts: Mapping[Uri, str | None], track_id: TrackId, entry: int) -> None:
        """Record stickers that were written or read after the rating `entry` was added.

        Later changes of them are newer than that rating.
        """
        self._recorded |= texts
        self._unconfirmed -= texts.keys()
        for snapshot in (self._latest, self._current):
            if snapshot is not None and snapshot.session == self._player.link().session:
                _update(snapshot.texts, texts)
                snapshot.checked_entries[track_id] = entry

    def is_unchanged(self, uri: Uri, text: str | None) -> bool:
        """Return whether a sticker is as in the latest snapshot of this session, if any."""
        latest = self._latest
        if latest is None or latest.session != self._player.link().session:
            return True
        return latest.texts.get(uri) == text

    def is_newer(self, snapshot: Snapshot, track_id: TrackId, rating: Rating | None) -> bool:
        """Return whether a sticker that changed in this snapshot is newer than the rating."""
        if rating is None or snapshot.is_after(track_id, rating.sequence):
            return True
        return self.has_event_after(rating)

    async def read(self, last_entry: int) -> Snapshot:
        """Read all stickers; `last_entry` is the newest entry of the rating history.

        Raises:
            PlayerUnavailable: the connection was lost meanwhile.
            PlayerRefused: the player has no stickers.
        """
        session = self._player.link().session
        snapshot = Snapshot(session, last_entry, self._possible_losses)
        self._current, self._recorded = snapshot, {}
        stable = self._stable and not (await self._player.state()).updating
        snapshot.texts = await self._player.stickers(self._name)
        if self._player.link().session != session:
            raise PlayerUnavailable("MPD was reconnected while its stickers were read")
        _update(snapshot.texts, self._recorded)
        if self._latest is not None and self._latest.session == session:
            snapshot.previous = self._latest
            if stable and snapshot.possible_losses == self._possible_losses:
                self._classify_missing(snapshot, self._latest.texts)
        return snapshot

    def _classify_missing(self, snapshot: Snapshot, previous: Mapping[Uri, str]) -> None:
        known = [uri for uri, text in previous.items() if self._is_meaningful(text)]
        missing = [uri for uri in known if uri not in snapshot.texts]
        if rules.may_be_removed(len(missing), len(known)):
            snapshot.removed = self._unconfirmed.intersection(missing)
            snapshot.unconfirmed = frozenset(missing) - snapshot.removed
        else:
            snapshot.lost = len(missing)

    async def complete(self, snapshot: Snapshot) -> None:
        """Make a snapshot, all of whose changes were handled, the previous one of the next."""
        if snapshot.previous is not None:
            previous = snapshot.previous.texts
            unconfirmed = {uri: previous[uri] for uri in snapshot.unconfirmed if uri in previous}
            _update(snapshot.texts, unconfirmed)
        snapshot.previous = None
        self._latest, self._current = snapshot, None
        updating = (await self._player.state()).updating
        if self._possible_losses == snapshot.possible_losses and not updating:
            self._unconfirmed, self._stable = snapshot.unconfirmed, True


def _update(texts: dict[Uri, str], changed: Mapping[Uri, str | None]) -> None:
    for uri, text in changed.items():
        if text is None:
            texts.pop(uri, None)
        else:
            texts[uri] = text
