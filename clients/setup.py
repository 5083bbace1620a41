"""What `pyproject.toml` cannot say.

Man page and completions are made from the parser, and the web page has a copy of the documents.
"""

import shutil
import sys
from pathlib import Path

from setuptools import Distribution, setup

HERE = Path(__file__).parent
MADE = HERE / "build" / "papers"
DOCUMENTS = HERE.parent / "docs"
COPY = HERE / "web" / "anagnorisis_web" / "docs"
PLACES = {
    "share/man/man1": ("anagnorisis.1", "anagnorisis-web.1"),
    "share/bash-completion/completions": ("anagnorisis",),
    "share/zsh/site-functions": ("_anagnorisis",),
    "share/fish/vendor_completions.d": ("anagnorisis.fish",),
}


class WithData(Distribution):
    """Has its data files installed with an editable install too, which setuptools forgets."""

    def has_data(self) -> bool:
        """Say so under the name by which `editable_wheel` asks."""
        return bool(self.has_data_files())


def papers() -> dict[str, str]:
    """Return the text of each file of `PLACES`."""
    sys.path[:0] = [str(HERE), str(HERE / "web")]  # a build has no other way to the packages
    from anagnorisis import completion, manual
    from anagnorisis_web.__main__ import parser

    return {
        "anagnorisis.1": manual.page(),
        "anagnorisis-web.1": manual.program_page(parser()),
        "anagnorisis": completion.script("bash"),
        "_anagnorisis": completion.script("zsh"),
        "anagnorisis.fish": completion.script("fish"),
    }


def written() -> list[tuple[str, list[str]]]:
    """Write the files and return them as setuptools wants them."""
    MADE.mkdir(parents=True, exist_ok=True)
    for name, text in papers().items():
        (MADE / name).write_text(text)
    return [
        (place, [str((MADE / name).relative_to(HERE)) for name in names])
        for place, names in PLACES.items()
    ]


def copy_guide() -> None:
    """Copy the documents into the package; a source archive has the copy only."""
    if DOCUMENTS.is_dir():
        shutil.rmtree(COPY, ignore_errors=True)
        for source in (*DOCUMENTS.glob("*.md"), *DOCUMENTS.glob("pictures/*")):
            copy = COPY / source.relative_to(DOCUMENTS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


copy_guide()
setup(distclass=WithData, data_files=written())
