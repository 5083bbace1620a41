"""The table in `docs/service.md` of keys that need a restart matches the schema."""

import re
from pathlib import Path

from anagnorisisd.config.schema import is_live
from anagnorisisd.config.settings import fields

PAGE = Path(__file__).parents[2] / "docs" / "service.md"


def test_the_table_matches_the_schema() -> None:
    wanted: dict[str, tuple[list[str], list[str]]] = {}
    for (section, *names), field in fields():
        wanted.setdefault(section, ([], []))[not is_live(field)].append(".".join(names))

    chapter = PAGE.read_text().split("\n## Changing the configuration\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| (.+) \| (.+) \|$", chapter, re.MULTILINE)
    said = {section: (keys(live), keys(restart)) for section, live, restart in rows[1:]}

    assert said == wanted


def keys(cell: str) -> list[str]:
    return [] if cell == "–" else cell.split(", ")
