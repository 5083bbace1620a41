"""The texts of the page, in one catalog per language."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

LANGUAGES = ("en",)
"""Languages with a catalog in `texts`; the first is the default."""


class Texts:
    """The texts of one language, by dotted key.

    A text may have named fields in braces, as in `str.format`. A text that depends on a number has
    the plural forms `one` and `other` (the names of the Unicode CLDR) and the field `count`.
    """

    def __init__(self, language: str) -> None:
        catalog = files("anagnorisis_web").joinpath("texts", f"{language}.toml")
        self.language = language
        self._texts: dict[str, str] = dict(_flatten(tomllib.loads(catalog.read_text("utf-8"))))

    @property
    def keys(self) -> set[str]:
        """Return the keys of all texts; a text with plural forms has a key for each form."""
        return set(self._texts)

    def __call__(self, key: str, **fields: Any) -> str:
        """Return the text `key` with its fields filled in.

        Raises:
            KeyError: there is no such text, or a field of it is not given.
        """
        if key not in self._texts and "count" in fields:
            key += ".one" if fields["count"] == 1 else ".other"
        text = self._texts[key]
        return text.format(**fields) if fields else text


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flatten(value, f"{prefix}{key}.")


@pass_context
def translate(context: Context, key: str, **fields: Any) -> str:
    """Return a text in the language of the request; the function `t` of the templates."""
    texts: Texts = context["texts"]
    return texts(key, **fields)
