"""Our queue entries and switches."""

import pytest

from anagnorisisd.domain.player import SongId
from anagnorisisd.errors import UnknownTrack
from anagnorisisd.storage.stores import Stores
from tests.support.library import EPOCH, add_tracks, track_id


async def test_owned_entries_are_stored_and_deleted(stores: Stores) -> None:
    a, b = await add_tracks(stores, "a", "b")
    await stores.queue.add_entry(SongId(9), a, EPOCH)
    await stores.queue.add_entry(SongId(4), b, EPOCH)
    assert await stores.queue.entries() == {9: a, 4: b}
    await stores.queue.forget_entries([SongId(9), SongId(77)])
    assert await stores.queue.entries() == {4: b}


async def test_song_id_that_comes_again_is_the_new_track(stores: Stores) -> None:
    a, b = await add_tracks(stores, "a", "b")
    await stores.queue.add_entry(SongId(1), a, EPOCH)
    await stores.queue.add_entry(SongId(1), b, EPOCH)
    assert await stores.queue.entries() == {1: b}


async def test_entry_of_an_unknown_track_is_refused(stores: Stores) -> None:
    with pytest.raises(UnknownTrack):
        await stores.queue.add_entry(SongId(1), track_id("nothing"), EPOCH)


async def test_settings_are_remembered(stores: Stores) -> None:
    assert await stores.queue.setting("picking") is None
    await stores.queue.put_setting("picking", "on")
    await stores.queue.put_setting("picking", "off")
    assert await stores.queue.setting("picking") == "off"
