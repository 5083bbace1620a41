"""The picks service: what the gRPC service, the message channel and the console ask about picks."""

import logging
from collections.abc import Collection, Mapping, Sequence
from random import Random

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.pick import Explanation, Pick, UpcomingPick
from anagnorisisd.domain.player import Player, SongId
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import PlayerFull, PlayerRefused, PlayerUnavailable, PreconditionFailed
from anagnorisisd.events import Events
from anagnorisisd.picks import albums, queue_rules
from anagnorisisd.picks.candidate_cache import CandidateCache
from anagnorisisd.picks.owned_entries import OwnedEntries
from anagnorisisd.picks.picking_status import PickingStatus
from anagnorisisd.picks.queue_filler import QueueFiller
from anagnorisisd.picks.queue_manager import QueueManager, QueueObserver
from anagnorisisd.picks.queue_rules import QueueView
from anagnorisisd.picks.removed_picks import RemovedPicks
from anagnorisisd.picks.replanner import Replanner
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.steering.sound_map import SoundMap
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore
from anagnorisisd.storage.queue import QueueStore

log = logging.getLogger(__name__)


class PickService:
    """Shows, explains and switches picks; `queue_manager` adds them to the queue.

    The random generator is seeded by `seed`, or by the system. Without `steering` picks are never
    steered, and without `sound_map` they do not flow.
    """

    def __init__(
        self,
        *,
        library: LibraryStore,
        store: QueueStore,
        plays: PlayStore,
        player: Player,
        events: Events,
        clock: Clock,
        config: schema.Picks,
        steering: SteeringService | None = None,
        sound_map: SoundMap | None = None,
        seed: int | None = None,
    ) -> None:
        self._library = library
        self._unit = config.unit
        self._player = player
        self._status = PickingStatus(store, events, enabled=config.enabled)
        removed = RemovedPicks(clock)
        self._candidates = CandidateCache(
            library,
            plays,
            events,
            clock,
            config=config,
            removed=removed,
            steering=steering,
            sound_map=sound_map,
        )
        self._owned = OwnedEntries(store, clock)
        self._observer = QueueObserver(
            library=library,
            player=player,
            owned=self._owned,
            status=self._status,
            removed=removed,
            events=events,
        )
        self._filler = QueueFiller(
            library=library,
            player=player,
            events=events,
            clock=clock,
            candidates=self._candidates,
            owned=self._owned,
            status=self._status,
            rng=Random(seed),  # noqa: S311 - not for cryptography
        )
        self.queue_manager = QueueManager(
            status=self._status,
            owned=self._owned,
            observer=self._observer,
            replanner=Replanner(
                self._candidates, player, self._owned, events, clock, unit=config.unit
            ),
            filler=self._filler,
            candidates=self._candidates,
            player=player,
            clock=clock,
            config=config,
        )

    def reconfigure(self, config: schema.Picks) -> None:
        """Apply a changed configuration."""
        self._unit = config.unit
        self._candidates.reconfigure(config)
        self.queue_manager.reconfigure(config)
        self._status.configure(enabled=config.enabled)

    @property
    def enabled(self) -> bool:
        """Whether picking is on."""
        return self._status.enabled

    @property
    def reason(self) -> str | None:
        """Why no picks are added although picking is on; `None` when they are."""
        return self._status.reason

    async def switch(self, enabled: bool) -> None:
        """Switch picking on or off, and store that; the queue stays as it is."""
        await self._status.switch(enabled)

    async def preview(
        self, count: int, seed: int | None = None, *, unsteered: bool = False
    ) -> list[Pick]:
        """Choose picks without adding them; the same seed gives the same picks.

        If albums are picked, `count` is that of albums, and all their tracks are returned. With
        `unsteered`, the picks are those without steering.
        """
        rng = Random(seed)  # noqa: S311 - not for cryptography
        view = self._observer.view
        if self._unit is schema.PickUnit.TRACK:
            return await self._candidates.choose(view, count, rng, unsteered=unsteered)
        picked = await self._candidates.choose_albums(view, count, rng, unsteered=unsteered)
        return [pick for album in picked for pick in await self._in_play_order(album)]

    async def _in_play_order(self, album: Sequence[Pick]) -> list[Pick]:
        """Return the picks of an album in order; without MPD, by the names of the files."""
        try:
            return [pick for pick, _ in await self._filler.in_play_order(album)]
        except PlayerUnavailable:
            uris = await self._library.uris([pick.track_id for pick in album])
            by_track = {pick.track_id: pick for pick in album}
            return [by_track[each] for each in albums.play_order(uris, {})]

    async def skip_album(self) -> int:
        """Remove the rest of the current picked album and move on; see `QueueManager`."""
        return await self.queue_manager.skip_album(await self._player.state())

    async def explain(self, track_id: TrackId) -> Explanation:
        """Return every factor of a track's present weight.

        Raises:
            PreconditionFailed: no file of the track is present, so that it cannot be picked.
        """
        explanation = await self._candidates.explain(self._observer.view, track_id)
        if explanation is None:
            raise PreconditionFailed(
                "the track cannot be picked: its file is missing, or not in MPD's database"
            )
        return explanation

    async def journey(
        self, start: TrackId, end: TrackId, count: int
    ) -> list[tuple[TrackId, float]]:
        """Return a journey between two tracks; see `CandidateCache.journey`."""
        return await self._candidates.journey(start, end, count)

    async def steering_problems(self) -> Mapping[str, str]:
        """Return why wishes of the steering have no effect, by their text."""
        return await self._candidates.steering_problems()

    async def excluded(self) -> Collection[TrackId]:
        """Return the tracks that the configuration excludes from picks."""
        return await self._candidates.excluded()

    async def ahead(self) -> list[Pick]:
        """Return the picks in the queue that are still to come, in order, with their factors.

        The factors are those at the time of choosing, until ratings or predictions change. Picks
        that are no candidates now are left out.
        """
        return [
            Pick(pick.track_id, pick.explanation)
            for pick in await self._upcoming()
            if pick.explanation is not None
        ]

    async def upcoming(self) -> list[UpcomingPick]:
        """Return all picks in the queue that are still to come, in order, with their factors.

        Raises:
            PlayerUnavailable: the player is not connected.
        """
        await self._player.state()
        return await self._upcoming()

    async def _upcoming(self) -> list[UpcomingPick]:
        view = self._observer.view
        if view is None:
            return []
        # The owned entries may change while an explanation is computed: use those of one moment.
        owned = self._owned.tracks
        picks = []
        for entry in queue_rules.upcoming_entries(view.state, view.entries, owned):
            track_id = owned[entry.song_id]
            explanation = await self._explain_entry(entry.song_id, track_id, view)
            picks.append(UpcomingPick(entry.song_id, track_id, explanation))
        return picks

    async def remove(self, song_id: SongId) -> TrackId:
        """Remove a pick from the queue for the listener; see `QueueManager.remove_pick`."""
        return await self.queue_manager.remove_pick(await self._player.state(), song_id)

    async def _explain_entry(
        self, song_id: SongId, track_id: TrackId, view: QueueView
    ) -> Explanation | None:
        """Return why an entry was picked, or else why it would be picked now."""
        known = self._owned.explanations.get(song_id)
        if known is not None:
            return known
        explanation = await self._candidates.explain_queued(view, track_id)
        if explanation is not None:
            self._owned.explanations[song_id] = explanation
        return explanation

    async def enqueue(self, track_ids: Sequence[TrackId]) -> Mapping[TrackId, SongId]:
        """Add tracks to the end of the queue; see `enqueue`."""
        return await enqueue(self._library, self._player, track_ids)


async def enqueue(
    library: LibraryStore, player: Player, track_ids: Sequence[TrackId]
) -> Mapping[TrackId, SongId]:
    """Add tracks to the end of the queue, as the listener's own entries.

    Returns the new entry of each track, in order; tracks without a file and those that the
    player does not know are left out.

    Raises:
        PlayerUnavailable: the connection to the player is lost; entries added before are kept.
        PlayerFull: the queue has no room for all of them; entries added before are kept.
    """
    uris = await library.uris(track_ids)
    added: dict[TrackId, SongId] = {}
    for track_id in track_ids:
        if track_id not in uris:  # its file is missing
            continue
        try:
            added[track_id] = await player.enqueue(uris[track_id])
        except PlayerFull as error:
            progress = f"{len(added)} of {len(track_ids)} tracks were added"
            raise PlayerFull(f"{error}; {progress}") from error
        except PlayerRefused as error:
            log.debug("MPD refused %s: %s", uris[track_id], error)
    return added
