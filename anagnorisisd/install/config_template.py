"""The configuration that a listener begins with: every key, none of them set."""

import re

HEADER = """\
# Anagnorisis for MPD: every key with its default. Take the # away in front of a key to change it;
# `anagnorisisd check-config` says whether it can be used, and a reload of the service, or its
# restart, makes it count. An empty value means "decide for me".
"""
KEY = re.compile(r"( *)(\w+:.*)")


def commented(text: str) -> str:
    """Return the documented defaults as a file that sets nothing, so that they may still change.

    `text` is `config.yaml` of the project; its own heading makes way for another one.
    """
    _, body = text.split("\n\n", 1)
    lines = body.splitlines()
    return "\n".join([HEADER, *map(_unset, lines, _followers(lines))]) + "\n"


def _unset(line: str, following: str) -> str:
    """Comment a key out, but leave what is above deeper ones: a section."""
    key = KEY.fullmatch(line)
    if key is None or _depth(following) > _depth(line):
        return line
    return f"{key[1]}#{key[2]}"


def _followers(lines: list[str]) -> list[str]:
    """Return for each line the next one that is neither empty nor a comment."""
    found, last = [], ""
    for line in reversed(lines):
        found.append(last)
        if KEY.fullmatch(line):
            last = line
    return found[::-1]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
