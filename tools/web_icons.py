"""Makes the PNG icons of the web page from its SVG icon, in a browser: some phones take PNG only.

    .venv/bin/python -m tools.web_icons

A maskable icon has no round corners of its own: the phone cuts out a shape around the middle.
"""

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from tools.console import GiveUp, guarded, say

STATIC = Path(__file__).resolve().parents[1] / "clients/web/anagnorisis_web/static"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CORNERS = ' rx="14"'
"""What the icon has and a maskable one has not."""
ICONS = (
    ("icon-192.png", 192, False),
    ("icon-512.png", 512, False),
    ("icon-maskable-512.png", 512, True),
)


def main() -> None:
    """Write the icons.

    Raises:
        GiveUp: no browser is installed.
    """
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise GiveUp("Chromium is not installed")
    drawing = (STATIC / "icon.svg").read_text()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, size, maskable in ICONS:
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(
                "<style>body { margin: 0 } svg { display: block; width: 100vw }</style>"
                + (drawing.replace(CORNERS, "") if maskable else drawing)
            )
            page.screenshot(path=STATIC / name, omit_background=True)
            say(str(STATIC / name))
        browser.close()


if __name__ == "__main__":
    guarded(main)
