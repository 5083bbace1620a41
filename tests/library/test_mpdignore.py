"""The globs of `.mpdignore` files, as MPD reads them."""

import pytest

from anagnorisisd.library.mpdignore import IgnoreRules, parse


def test_lines_of_a_file() -> None:
    text = b"# comment\n  *.tmp  \n\nwith # sign.ogg\r\n\t\nlast"

    assert parse(text) == (b"*.tmp", b"with # sign.ogg", b"last")


@pytest.mark.parametrize(
    ("glob", "name", "ignored"),
    [
        ("*", "any", True),
        ("*.ogg", ".dot.ogg", True),
        ("a?.ogg", "ab.ogg", True),
        ("a?.ogg", "aü.ogg", True),
        ("a?.ogg", "abc.ogg", False),
        ("A.ogg", "a.ogg", False),
        ("a[0-9].ogg", "a7.ogg", True),
        ("a[!0-9].ogg", "a7.ogg", False),
        ("a[[:digit:]].ogg", "a7.ogg", True),
        (r"a\*.ogg", "a*.ogg", True),
        (r"a\*.ogg", "ab.ogg", False),
        ("{a,b}.ogg", "a.ogg", False),
        ("!a.ogg", "a.ogg", False),
        ("sub/a.ogg", "a.ogg", False),
        ("/a.ogg", "a.ogg", False),
        ("sub/", "sub", False),
    ],
)
def test_globs(glob: str, name: str, ignored: bool) -> None:
    rules = IgnoreRules(b".mpdignore", parse(glob.encode()))

    assert (rules.file_that_ignores(name.encode()) is not None) is ignored


def test_rules_of_parent_directories_hold() -> None:
    above = IgnoreRules(b".mpdignore", (b"a.ogg",))
    rules = IgnoreRules(b"sub/.mpdignore", (b"b.ogg",), above)

    assert rules.file_that_ignores(b"a.ogg") == b".mpdignore"
    assert rules.file_that_ignores(b"b.ogg") == b"sub/.mpdignore"
    assert rules.file_that_ignores(b"c.ogg") is None
