"""Covers: which picture is taken, how it is scaled, and that no picture does harm."""

import asyncio
import os
import random
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3

from anagnorisisd.domain.track import ScannedFile, Uri
from anagnorisisd.errors import NoCover, PreconditionFailed
from anagnorisisd.library.cover_image import CoverImage, make_cover
from anagnorisisd.library.cover_pictures import MAX_PICTURE_BYTES, folder_pictures
from anagnorisisd.library.covers import Covers
from anagnorisisd.library.media_file import read
from anagnorisisd.services import READER_MEMORY_BYTES
from anagnorisisd.storage.stores import Stores
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths
from tests.support.library import EPOCH
from tests.support.media import FORMATS, READ_ONLY, add_cover, copy_sample, write_song
from tests.support.pictures import BLUE, GREEN, RED, is_colour, picture

MAKE = "anagnorisisd.library.cover_image:make_cover"
DAMAGED = int(os.environ.get("ANAGNORISIS_HOSTILE_PICTURES", "40"))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_song(tmp_path / "album" / "song.flac")


def cover_of(song: Path, side: int = 300) -> CoverImage | None:
    pictures = [each.path for each in folder_pictures(str(song.parent))]
    return make_cover(str(song), pictures, side)


@pytest.mark.parametrize("extension", FORMATS)
def test_the_picture_in_a_file_of_each_format(tmp_path: Path, extension: str) -> None:
    song = write_song(tmp_path / f"song.{extension}")
    assert cover_of(song) is None

    add_cover(song, picture(GREEN, "jpg"))

    cover = cover_of(song)
    assert cover is not None
    assert is_colour(cover.jpeg, GREEN)


@pytest.mark.parametrize("name", [name for name in READ_ONLY if name != "tone.wma"])
def test_the_picture_in_a_file_of_a_format_that_is_only_read(tmp_path: Path, name: str) -> None:
    song = copy_sample(name, tmp_path)

    add_cover(song, picture(BLUE, "webp"))

    cover = cover_of(song)
    assert cover is not None
    assert is_colour(cover.jpeg, BLUE)


def test_the_front_cover_comes_first(tmp_path: Path) -> None:
    mp3, flac = write_song(tmp_path / "a.mp3"), write_song(tmp_path / "b.flac")
    tags = ID3()  # type: ignore[no-untyped-call]
    opened = FLAC(flac)  # type: ignore[no-untyped-call]
    for kind, colour in ((4, RED), (3, BLUE), (0, GREEN)):
        tags.add(APIC(mime="", type=kind, desc=str(kind), data=picture(colour)))  # type: ignore[no-untyped-call]
        image = Picture()  # type: ignore[no-untyped-call]
        image.type, image.data = kind, picture(colour)
        opened.add_picture(image)  # type: ignore[no-untyped-call]
    tags.save(mp3)
    opened.save()

    for song in (mp3, flac):
        cover = cover_of(song)
        assert cover is not None
        assert is_colour(cover.jpeg, BLUE)


def test_pictures_of_the_folder_in_their_order(song: Path) -> None:
    order = ["COVER.JPG", "cover.png", "Folder.jpeg", "front.webp", "album.jpg"]
    for name in (*order, "back.jpg", "cover.txt", "cover.jpg.part", "my cover.jpg"):
        (song.parent / name).write_bytes(b"x")
    (song.parent / "folder.png").symlink_to("gone")
    (song.parent.parent / "private.jpg").write_bytes(b"x")
    (song.parent / "cover.jpeg").symlink_to("../private.jpg")
    (song.parent / "front.jpg").symlink_to("back.jpg")
    order.insert(3, "front.jpg")

    found = folder_pictures(str(song.parent))

    assert [Path(each.path).name for each in found] == order


def test_a_picture_that_cannot_be_used_is_passed_over(song: Path) -> None:
    add_cover(song, b"\xff\xd8\xffno picture")
    (song.parent / "cover.jpg").write_bytes(b"GIF89a")
    os.mkfifo(song.parent / "cover.png")
    (song.parent / "folder.jpg").write_bytes(bytes(MAX_PICTURE_BYTES + 1))
    (song.parent / "front.jpg").write_bytes(picture(RED, "png"))  # the name is wrong

    cover = cover_of(song)

    assert cover is not None
    assert is_colour(cover.jpeg, RED)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
@pytest.mark.parametrize(
    ("size", "side", "scaled"),
    [
        ((400, 200), 100, (100, 50)),
        ((200, 400), 100, (50, 100)),
        ((60, 40), 100, (60, 40)),
        ((3, 3000), 100, (1, 100)),
        ((101, 99), 50, (50, 49)),
    ],
)
def test_scaling(
    song: Path, extension: str, size: tuple[int, int], side: int, scaled: tuple[int, int]
) -> None:
    width, height = size
    content = picture(BLUE, extension, width=width, height=height)
    (song.parent / f"cover.{extension}").write_bytes(content)

    cover = cover_of(song, side)

    assert cover is not None
    assert (cover.width, cover.height) == scaled
    if min(scaled) > 8:  # in smaller ones a colour is shared with what is beside them
        assert is_colour(cover.jpeg, BLUE)


def test_behind_a_transparent_picture_is_white(song: Path) -> None:
    (song.parent / "cover.png").write_bytes(picture((0, 0, 0), alpha=0))

    cover = cover_of(song)

    assert cover is not None
    assert is_colour(cover.jpeg, (255, 255, 255))


# The service.


@pytest.fixture
async def covers(stores: Stores, tmp_path: Path) -> AsyncIterator[Covers]:
    pool = WorkerPool(
        name="cover", size=2, idle_seconds=0, executors=partial(ThreadPoolExecutor, 1)
    )
    yield Covers(stores.library, tmp_path.joinpath, pool)
    await pool.close()


async def add(stores: Stores, path: Path, root: Path) -> ScannedFile:
    scanned = read(str(path), Uri(str(path.relative_to(root))))
    assert scanned is not None
    assert scanned.track_id is not None
    await stores.library.store_files([scanned], EPOCH)
    return scanned


async def test_a_cover_is_made_again_when_one_of_its_files_changes(
    stores: Stores, covers: Covers, song: Path, tmp_path: Path
) -> None:
    track_id = (await add(stores, song, tmp_path)).track_id
    assert track_id is not None
    with pytest.raises(NoCover):
        await covers.get(track_id, 100)
    folder = song.parent / "front.png"

    folder.write_bytes(picture(RED))
    red = await covers.get(track_id, 100)
    (song.parent / "cover.png").write_bytes(picture(BLUE))
    blue = await covers.get(track_id, 100)
    add_cover(song, picture(GREEN))
    green = await covers.get(track_id, 100)

    for cover, colour in ((red, RED), (blue, BLUE), (green, GREEN)):
        assert is_colour(cover.image.jpeg, colour)
    assert len({red.etag, blue.etag, green.etag}) == 3


async def test_a_cover_that_is_known_is_not_made_again(
    stores: Stores, covers: Covers, song: Path, tmp_path: Path
) -> None:
    track_id = (await add(stores, song, tmp_path)).track_id
    assert track_id is not None
    file = song.parent / "cover.png"
    file.write_bytes(picture(RED))
    first = await asyncio.gather(*(covers.get(track_id, 100) for _ in range(9)))
    again = await covers.get(track_id, 100)

    assert all(cover is again for cover in first)
    file.chmod(0o600)
    assert await covers.get(track_id, 100) is not again, "as it may have been unreadable"


async def test_covers_are_kept_up_to_a_limit(
    stores: Stores,
    covers: Covers,
    song: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    track_id = (await add(stores, song, tmp_path)).track_id
    assert track_id is not None
    (song.parent / "cover.png").write_bytes(picture(RED, width=90, height=90))
    size = len((await covers.get(track_id, 90)).image.jpeg)
    monkeypatch.setattr("anagnorisisd.library.covers.MAX_CACHE_BYTES", 3 * size)
    made = {side: await covers.get(track_id, side) for side in range(90, 80, -1)}

    kept = [side for side in range(90, 80, -1) if await covers.get(track_id, side) is made[side]]

    assert kept == []  # asked for in the order in which they were dropped
    assert (await covers.get(track_id, 81)) is (await covers.get(track_id, 81))


async def test_the_cover_of_a_disc_may_lie_beside_its_folder(
    stores: Stores, covers: Covers, tmp_path: Path
) -> None:
    disc = write_song(tmp_path / "album" / "CD 2" / "song.ogg", seed=1)
    other = write_song(tmp_path / "album" / "Live" / "song.ogg", seed=2)
    (tmp_path / "album" / "cover.jpg").write_bytes(picture(RED, "jpg"))
    of_disc, of_other = [(await add(stores, path, tmp_path)).track_id for path in (disc, other)]
    assert of_disc is not None
    assert of_other is not None

    assert is_colour((await covers.get(of_disc, 60)).image.jpeg, RED)
    with pytest.raises(NoCover):
        await covers.get(of_other, 60)


async def test_a_file_that_is_gone(
    stores: Stores, covers: Covers, song: Path, tmp_path: Path
) -> None:
    track_id = (await add(stores, song, tmp_path)).track_id
    assert track_id is not None
    song.unlink()  # noqa: ASYNC240

    with pytest.raises(PreconditionFailed, match="not found"):
        await covers.get(track_id, 60)
    await stores.library.mark_missing([Uri("album/song.flac")], EPOCH)
    with pytest.raises(PreconditionFailed, match="missing"):
        await covers.get(track_id, 60)


# Hostile pictures, in a worker.


def png_of(width: int, height: int) -> bytes:
    """Return a small PNG that claims to be of any size, and unfolds to zeros."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(
            ">I", zlib.crc32(kind + content)
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    rows = zlib.compress(bytes(min((width * 4 + 1) * height, 4 << 20)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_of(width: int, height: int) -> bytes:
    """Return a small JPEG that claims to be of any size."""
    content = bytearray(picture(RED, "jpg"))
    at = content.index(b"\xff\xc0")
    struct.pack_into(">HH", content, at + 5, height, width)
    return bytes(content)


def webp_of(width: int, height: int) -> bytes:
    """Return a small WebP that claims to be of any size."""
    content = bytearray(picture(RED, "webp"))
    at = content.index(b"\x9d\x01\x2a")
    struct.pack_into("<HH", content, at + 3, width, height)
    return bytes(content)


def damaged_pictures(chance: random.Random, count: int) -> list[bytes]:
    """Return pictures that are damaged, cut off, of another type, or larger than they can be."""
    whole = [
        picture(BLUE, extension, width=200, height=150) for extension in ("jpg", "png", "webp")
    ]
    made: list[Callable[[], bytes]] = [
        lambda: (content := chance.choice(whole))[: chance.randrange(len(content))],
        lambda: flipped(chance, chance.choice(whole)),
        lambda: chance.choice(whole)[:16] + chance.randbytes(3000),
        lambda: chance.choice(whole)[:12] + chance.choice(whole)[12:],
        lambda: chance.choice((png_of, jpeg_of, webp_of))(
            chance.choice((0, 1, 16_000, 65_535)), chance.choice((0, 1, 16_000, 65_535))
        ),
    ]
    return [chance.choice(made)() for _ in range(count)]


def flipped(chance: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 8, 100))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


@pytest.mark.slow
async def test_pictures_that_are_damaged_or_too_large(tmp_path: Path) -> None:
    """`ANAGNORISIS_HOSTILE_PICTURES=5000` tries as many."""
    song = write_song(tmp_path / "song.ogg")
    file = tmp_path / "cover.jpg"
    bombs = [png_of(16_000, 16_000), png_of(2**31 - 1, 1), jpeg_of(65_500, 65_500)]
    damaged = damaged_pictures(random.Random(1), DAMAGED)
    pool = WorkerPool(
        name="cover",
        size=1,
        idle_seconds=60,
        memory_bytes=READER_MEMORY_BYTES,
        readable_paths=ReadablePaths(tmp_path),
    )

    async def cover_from(content: bytes) -> CoverImage | None:
        file.write_bytes(content)
        made: CoverImage | None = await pool.run(
            MAKE, str(song), [str(file)], 100, cpu_seconds=20, result_type=CoverImage | None
        )
        return made

    try:
        for content in bombs:
            assert await cover_from(content) is None
        for content in damaged:
            cover = await cover_from(content)
            assert cover is None or max(cover.width, cover.height) <= 100
        healthy = await cover_from(picture(GREEN, width=5000, height=5000))
    finally:
        await pool.close()

    assert healthy is not None
    assert is_colour(healthy.jpeg, GREEN)
