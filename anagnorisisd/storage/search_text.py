"""Text in the form in which it is searched."""

import unicodedata


def searchable(text: str) -> str:
    """Return text whatever its case and its Unicode normal form.

    File names from a Mac hold letter and accent apart, tags and keyboards mostly as one.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
