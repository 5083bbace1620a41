"""The web app manifest, with which a phone puts the page on its home screen."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from anagnorisis_web.pages import Pages, static_url

PATH = "/manifest.webmanifest"
COLOUR = "#8a3b00"
"""Of the icon; browsers show it until the page has loaded."""
ICONS = (
    ("icon.svg", "any", "any"),
    ("icon-192.png", "192x192", "any"),
    ("icon-512.png", "512x512", "any"),
    ("icon-maskable-512.png", "512x512", "maskable"),
)
"""Files, their size, and the purpose; `tools/web_icons.py` makes the PNG files."""
TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def routes(pages: Pages) -> list[Route]:
    """Return the route of the manifest."""

    async def show(request: Request) -> Response:
        texts = pages.texts(request)
        manifest = {
            "id": "/",
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "name": texts("site.name"),
            "short_name": texts("site.name"),
            "description": texts("site.description"),
            "lang": texts.language,
            "theme_color": COLOUR,
            "background_color": COLOUR,
            "icons": [
                {
                    "src": static_url(name),
                    "type": TYPES[name.rpartition(".")[2]],
                    "sizes": sizes,
                    "purpose": purpose,
                }
                for name, sizes, purpose in ICONS
            ],
        }
        return JSONResponse(manifest, media_type="application/manifest+json")

    return [Route(PATH, show)]
