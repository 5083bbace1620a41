"""Reads the daemon's state once a second and passes it to a screen."""

from anagnorisisd.clock import Clock
from anagnorisisd.console.snapshot import ScanState, Screen, Snapshot
from anagnorisisd.domain.evaluator import TrainingStatus
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.player import Player, PlayerState
from anagnorisisd.domain.track import Track
from anagnorisisd.embedding.service import EmbeddingService
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable, UnknownTrack
from anagnorisisd.library.service import LibraryService
from anagnorisisd.picks.service import PickService
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.taste.training_scheduler import TrainingScheduler

SHOW_EVERY_SECONDS = 1.0


class SnapshotSource:
    """Reads snapshots from the services and shows them on a screen."""

    def __init__(
        self,
        screen: Screen,
        *,
        library: LibraryService,
        embedding: EmbeddingService,
        training: TrainingScheduler,
        player: Player,
        picks: PickService,
        tracks: LibraryStore,
        sound_tags: SoundTagIndex,
        clock: Clock,
    ) -> None:
        self._screen = screen
        self._library = library
        self._embedding = embedding
        self._training = training
        self._player = player
        self._picks = picks
        self._tracks = tracks
        self._sound_tags = sound_tags
        self._clock = clock

    async def run(self) -> None:
        """Show a snapshot every second, until cancelled."""
        while True:
            self._screen.show(await self.snapshot())
            await self._clock.sleep(SHOW_EVERY_SECONDS)

    async def snapshot(self) -> Snapshot:
        """Return the present state."""
        scan = self._library.progress
        link = self._player.link()
        player = await self._state()
        current = await self._current(player)
        sound_tags = await self._sound_tags.of_track(current.track_id) if current else ()
        return Snapshot(
            scan=ScanState(scan.found, scan.added, scan.finished),
            embedding=await self._embedding.progress(),
            link=link,
            player=player,
            current=current,
            sound_tags=[tag.name for tag in sound_tags],
            ahead=await self._ahead() if player else (),
            no_picks=self._picks.reason if link.connected else None,
            notices=[
                *([scan.problem] if scan.problem else []),
                *link.missing_features,
                learning(await self._training.status()),
            ],
        )

    async def _state(self) -> PlayerState | None:
        try:
            return await self._player.state()
        except (PlayerUnavailable, PlayerRefused):
            return None

    async def _current(self, player: PlayerState | None) -> Track | None:
        if player is None or player.uri is None:
            return None
        track_id = await self._tracks.track_at(player.uri)
        return await self._tracks.track(track_id, self._embedding.stamp) if track_id else None

    async def _ahead(self) -> list[tuple[Track, Explanation]]:
        ahead = []
        for pick in await self._picks.ahead():
            try:
                track = await self._tracks.track(pick.track_id, self._embedding.stamp)
            except UnknownTrack:
                continue
            ahead.append((track, pick.explanation))
        return ahead


def learning(status: TrainingStatus) -> str:
    """Return the state of the training in one line."""
    if status.training:
        return "Training"
    if status.failures.count:
        return f"Training failed, and will be retried: {status.failures.reason}"
    if status.evaluator is not None:
        metrics = status.evaluator.metrics
        return (
            f"Trained on {status.evaluator.rating_count} ratings: mean absolute error "
            f"{metrics.mean_absolute_error:.1f} on held-out ratings "
            f"(baseline {metrics.baseline_error:.1f})"
        )
    if status.needed:
        return f"Rate {status.needed} more tracks for the first training"
    return "The first training starts in a moment"
