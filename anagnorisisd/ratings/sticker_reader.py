"""Reading the player's stickers of one name, and telling what the listener did from what was lost.

The player tells that some sticker changed, not which, and a restarted player may come back with
other stickers, or none. So a change counts as the listener's only between two complete readings
in one session; one that vanished, only if no database update came between, few vanished at once,
and a further reading still finds it gone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from anagnorisisd.domain.player import Player
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import PlayerUnavailable
from anagnorisisd.ratings import sticker_rules

NOTICE_SECONDS = 0.1
"""How late the player may tell that a sticker changed."""


@dataclass(slots=True)
class Reading:
    """All stickers of one name at one moment, beside those of the reading before.

    `entry` is the newest entry of the rating history when it was begun, `shakes` how often stickers
    might have been lost by then. `before` is `None` where
    no earlier reading of this session tells anything. `suspects` vanished and are to be looked at
    again; `vanished` still were gone then. `lost` counts those that vanished all at once.
    """

    session: int
    entry: int
    shakes: int
    texts: dict[Uri, str] = field(default_factory=dict)
    before: "Reading | None" = None
    suspects: frozenset[Uri] = frozenset()
    vanished: frozenset[Uri] = frozenset()
    lost: int = 0
    ordered: dict[TrackId, int] = field(default_factory=dict)

    def changed(self, uri: Uri) -> bool:
        """Return whether the listener changed this sticker, or took it away, in this session."""
        if uri in self.vanished:
            return True
        text = self.texts.get(uri)
        return self.before is not None and text is not None and text != self.before.texts.get(uri)

    def is_after(self, track_id: TrackId, entry: int) -> bool:
        """Return whether what changed since `before` is known to be newer than a rating."""
        before = self.before
        return before is not None and (
            entry <= before.entry or entry == before.ordered.get(track_id)
        )


class StickerReader:
    """Reads the stickers of one name; `counts` says whether a text means something to us."""

    def __init__(self, player: Player, name: str, counts: Callable[[str], bool]) -> None:
        self._player = player
        self._name = name
        self._counts = counts
        self._last: Reading | None = None
        self._under_way: Reading | None = None
        self._noted: dict[Uri, str | None] = {}
        self._suspects: frozenset[Uri] = frozenset()
        self._shakes = 0
        self._calm = False

    def shake(self) -> None:
        """Note that stickers may vanish now without the listener's doing."""
        self._shakes += 1
        self._suspects = frozenset()
        self._calm = False

    def note(self, uris: Mapping[Uri, str | None], track_id: TrackId, entry: int) -> None:
        """Note stickers that were written or looked at after the rating `entry` was given.

        What they say later is newer than that rating.
        """
        self._noted |= uris
        self._suspects -= uris.keys()
        for reading in (self._last, self._under_way):
            if reading is not None and reading.session == self._player.link().session:
                _put(reading.texts, uris)
                reading.ordered[track_id] = entry

    def is_known(self, uri: Uri, text: str | None) -> bool:
        """Return whether a sticker is as it was read last, as far as this session tells."""
        last = self._last
        if last is None or last.session != self._player.link().session:
            return True
        return last.texts.get(uri) == text

    async def read(self, entry: int) -> Reading:
        """Read all stickers; `entry` is the newest entry of the rating history.

        Raises:
            PlayerUnavailable: the player went away meanwhile.
            PlayerRefused: the player has no stickers.
        """
        reading = Reading(self._player.link().session, entry, self._shakes)
        self._under_way, self._noted = reading, {}
        calm = self._calm and not (await self._player.state()).updating
        reading.texts = await self._player.stickers(self._name)
        if self._player.link().session != reading.session:
            raise PlayerUnavailable("MPD was reconnected while its stickers were read")
        _put(reading.texts, self._noted)
        if self._last is not None and self._last.session == reading.session:
            reading.before = self._last
            if calm and reading.shakes == self._shakes:
                self._judge_vanished(reading, self._last.texts)
        return reading

    def _judge_vanished(self, reading: Reading, known: Mapping[Uri, str]) -> None:
        gone = [uri for uri in known if uri not in reading.texts and self._counts(known[uri])]
        if sticker_rules.are_cleared(len(gone), sum(map(self._counts, known.values()))):
            reading.vanished = self._suspects.intersection(gone)
            reading.suspects = frozenset(gone) - reading.vanished
        else:
            reading.lost = len(gone)

    async def complete(self, reading: Reading) -> None:
        """Note that everything a reading asks for was done: it is what later ones start from."""
        if reading.before is not None:
            known = reading.before.texts
            _put(reading.texts, {uri: known[uri] for uri in reading.suspects if uri in known})
        reading.before = None
        self._last, self._under_way = reading, None
        updating = (await self._player.state()).updating
        if self._shakes == reading.shakes and not updating:
            self._suspects, self._calm = reading.suspects, True


def _put(texts: dict[Uri, str], changed: Mapping[Uri, str | None]) -> None:
    for uri, text in changed.items():
        if text is None:
            texts.pop(uri, None)
        else:
            texts[uri] = text
