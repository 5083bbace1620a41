"""Every text of the page is in the catalog, and every text of the catalog is used."""

import re
from pathlib import Path

import pytest

import anagnorisis_web
from anagnorisis_web.texts import LANGUAGES, Texts

PACKAGE = Path(anagnorisis_web.__file__).parent
USED = re.compile(r"""(?:\bt|\btexts(?:\(request\))?)\(\s*["']([a-z_.]+)["']""")


def used() -> set[str]:
    """Return the keys that templates and views name."""
    sources = [*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.py")]
    return {key for source in sources for key in USED.findall(source.read_text())}


def forms(texts: Texts, key: str) -> set[str]:
    """Return the key, or those of its plural forms."""
    return {key} if key in texts.keys else {f"{key}.one", f"{key}.other"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_exists(language: str) -> None:
    texts = Texts(language)
    assert {form for key in used() for form in forms(texts, key)} <= texts.keys


def test_every_text_is_used() -> None:
    texts = Texts(LANGUAGES[0])
    unused = texts.keys - {form for key in used() for form in forms(texts, key)}
    assert not {key for key in unused if not key.endswith(".title")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts(language: str) -> None:
    assert Texts(language).keys == Texts(LANGUAGES[0]).keys


def test_numbers_choose_the_plural_form() -> None:
    texts = Texts("en")
    assert texts("login.wait", count=1).endswith("1 minute.")
    assert texts("login.wait", count=2).endswith("2 minutes.")


def test_a_missing_text_or_field_is_an_error() -> None:
    texts = Texts("en")
    with pytest.raises(KeyError):
        texts("no.such.text")
    with pytest.raises(KeyError):
        texts("rating.rated", other=1)
