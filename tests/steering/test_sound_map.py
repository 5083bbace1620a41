"""Short vectors of the candidates: near the similarity of the whole ones, and kept up to date."""

import numpy as np

from anagnorisisd.embedding.musicnn import plan
from anagnorisisd.steering.sound_map import SoundMap
from anagnorisisd.storage.stores import Stores
from tests.support.library import add_tracks, track_id
from tests.support.steering import STYLES, add_styles, songs


async def test_tracks_of_a_style_are_alike(stores: Stores) -> None:
    await add_styles(stores)
    (unembedded,) = await add_tracks(stores, "unembedded.ogg")
    candidates = await stores.library.candidates()

    vectors = await SoundMap(stores.embeddings, plan.STAMP).vectors(candidates)

    for style in STYLES:
        rows = candidates.rows([track_id(uri) for uri in songs(style)])
        others = np.setdiff1d(np.arange(len(candidates)), rows)
        assert (vectors[rows] @ vectors[rows].T).min() > (vectors[rows] @ vectors[others].T).max()
    row = candidates.row(unembedded)
    assert row is not None
    assert not vectors[row].any()


async def test_new_vectors_are_included(stores: Stores) -> None:
    await add_styles(stores)
    (added,) = await add_tracks(stores, "added.ogg")
    candidates = await stores.library.candidates()
    sound_map = SoundMap(stores.embeddings, plan.STAMP)
    before = await sound_map.vectors(candidates)
    assert await sound_map.vectors(candidates) is before
    like = await stores.embeddings.get(plan.STAMP, track_id("jazz/1.ogg"))
    assert like is not None

    await stores.embeddings.put(plan.STAMP, {added: like})
    after = await sound_map.vectors(candidates)

    one, other = candidates.row(added), candidates.row(track_id("jazz/1.ogg"))
    np.testing.assert_allclose(after[one], after[other], atol=1e-6)


async def test_a_library_without_vectors(stores: Stores) -> None:
    sound_map = SoundMap(stores.embeddings, plan.STAMP)
    assert not len(await sound_map.vectors(await stores.library.candidates()))

    await add_tracks(stores, "a.ogg")
    assert not (await sound_map.vectors(await stores.library.candidates())).any()
