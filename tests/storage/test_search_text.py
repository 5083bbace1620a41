"""Text as it is searched: the same for all that a reader takes for the same."""

from unicodedata import normalize

from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.storage.schema import searchable

TEXTS = st.text(max_size=20)


@given(TEXTS)
def test_all_equivalent_forms_are_one(text: str) -> None:
    assert searchable(normalize("NFC", text)) == searchable(normalize("NFD", text))


@given(TEXTS)
def test_search_text_is_in_composed_form(text: str) -> None:
    assert searchable(text) == normalize("NFC", searchable(text))


@given(st.lists(st.text("aÄäéßİǰ한국", min_size=1, max_size=5), min_size=1, max_size=4))
def test_each_word_is_found_in_a_text_of_all(words: list[str]) -> None:
    text = searchable(" ".join(words))

    assert all(searchable(normalize("NFD", word)) in text for word in words)
