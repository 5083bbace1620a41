"""Builds the site: a copy of all pages where they lie in the project, and Zensical over it.

The copy mirrors the project, so that every relative link means the same in the project, on the
site, and wherever else Markdown is shown.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.console import GiveUp
from tools.docs import links

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "zensical.toml"
COPY = ROOT / "build" / "guide"
SITE = ROOT / "build" / "site"
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")


def pages() -> list[Path]:
    """Return the pages of the guide."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def targets(page: Path) -> Iterator[Path]:
    """Yield the files that a page links to, whether they exist or not."""
    for link in LINK.findall(page.read_text()):
        if "://" not in link and not link.startswith("mailto:"):
            yield (page.parent / link).resolve()


def build() -> None:
    """Write the site.

    Raises:
        GiveUp: a link leads nowhere, or Zensical refuses a page.
    """
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    for page in pages():
        for file in (page, *targets(page)):
            _copy(file, page)
    zensical = Path(sys.executable).parent / "zensical"
    done = subprocess.run(
        [str(zensical), "build", "--strict", "--clean", "--config-file", str(SETTINGS)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise GiveUp(f"Zensical refuses the guide:\n{done.stdout}{done.stderr}")
    if wrong := list(links.problems(SITE)):
        raise GiveUp("\n".join(wrong))


def _copy(file: Path, page: Path) -> None:
    if not file.is_file():
        raise GiveUp(f"{page.relative_to(ROOT)}: {file} is no file; link to one that is there")
    target = COPY / file.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
