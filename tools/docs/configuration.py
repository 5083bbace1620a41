"""The configuration page: ranges and defaults from the schema, descriptions from `config.yaml`."""

from pathlib import Path

from pydantic_core import PydanticUndefined, to_jsonable_python

from anagnorisisd.config.load import environment_variable
from anagnorisisd.config.messages import allowed
from anagnorisisd.config.schema import Config
from anagnorisisd.config.settings import Key, dotted, fields, subsection
from tools.docs.markdown import code, table

FILE = Path(__file__).resolve().parents[2] / "config.yaml"

PICKS_AHEAD = environment_variable(("picks", "ahead"))

INTRODUCTION = f"""\
# Configuration

Generated from the schema and [config.yaml](../config.yaml) by `make docs`; do not edit it here.

Later sources override earlier ones:

1. the defaults below;
2. `/etc/anagnorisis/config.yaml`;
3. `~/.config/anagnorisis/config.yaml`, or the file given with `--config`;
4. environment variables: `picks.ahead` is `{PICKS_AHEAD}`, with two underscores
   between section and key;
5. the flags of `anagnorisisd`.

A file needs only the keys that you want to change:

```yaml
picks:
  ahead: 5
  artist_spread: 2
```

The daemon refuses a configuration with unknown keys or invalid values, and reports each of them
with line, column and the most similar key. `anagnorisisd check-config` does this without
starting it. Relative paths are resolved against the directory of the file, and `~` is your home
directory.

`systemctl reload` or SIGHUP reloads the configuration. Changes that need a restart are logged.
"""


def page() -> str:
    """Return the page in Markdown."""
    lines = [INTRODUCTION]
    comments = comments_by_key()
    for name, field in Config.model_fields.items():
        section = subsection(field)
        if section is None:
            raise ValueError(f"{name} is no section; this page has no place for it")
        lines += [f"## {name}", "", (section.__doc__ or "").strip(), ""]
        keys = [(key, known) for key, known in fields() if key[0] == name]
        rows = (
            (
                code(dotted(key[1:])),
                allowed(known),
                _default(known.default),
                comments[key],
            )
            for key, known in keys
        )
        lines += table(("key", "value", "default", "description"), rows)
    return "\n".join(lines).rstrip() + "\n"


def comments_by_key() -> dict[Key, str]:
    """Return the comment of each key in `config.yaml`.

    A comment describes the keys below it, up to the next comment.
    """
    found: dict[Key, str] = {}
    branch: dict[int, str] = {}
    comment: list[str] = []
    fresh = False
    for line in FILE.read_text().splitlines():
        text, depth = line.strip(), len(line) - len(line.lstrip())
        if text.startswith("#"):
            comment = [*(comment if fresh else ()), text.removeprefix("#").strip()]
            fresh = True
            continue
        fresh = False
        if ":" in text:
            branch = {at: name for at, name in branch.items() if at < depth}
            branch[depth] = text.split(":")[0]
            found[tuple(branch.values())] = " ".join(comment)
    return found


def _default(value: object) -> str:
    if value is None or value is PydanticUndefined:
        return "empty"
    plain = to_jsonable_python(value)
    if isinstance(plain, list):
        return code(f"[{', '.join(plain)}]")
    if isinstance(plain, bool):
        return code(str(plain).lower())
    return code(f"{plain:g}" if isinstance(plain, float) else str(plain))
