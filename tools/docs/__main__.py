"""Writes the generated pages and pictures anew, then builds the site; see `make docs`."""

from tools.console import guarded, say
from tools.docs import site
from tools.docs.generated import PAGES, PICTURES


def main() -> None:
    """Make the guide."""
    for path, page in (*PAGES.items(), *PICTURES.items()):
        path.write_text(page())
    site.build()
    say(f"The guide: {site.SITE / 'index.html'}")


if __name__ == "__main__":
    guarded(main)
