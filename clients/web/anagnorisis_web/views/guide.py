"""The page Guide: the project's documents."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from anagnorisis_web import guide
from anagnorisis_web.guide import PICTURE_TYPES, Guide
from anagnorisis_web.pages import Pages


def routes(pages: Pages) -> list[Route]:
    """Return the routes of this page."""
    documents = Guide(guide.directory())

    def contents(request: Request) -> list[tuple[str, list[guide.Document]]]:
        texts = pages.texts(request)
        sections = [
            (texts("guide.listening"), guide.LISTENING),
            (texts("guide.operation"), guide.OPERATION),
            (texts("guide.development"), guide.DEVELOPMENT),
        ]
        return [
            (title, [documents.documents[name] for name in names if name in documents.documents])
            for title, names in sections
        ]

    async def index(request: Request) -> Response:
        words = request.query_params.get("q", "").strip()
        found = documents.find(words) if words else []
        context = {"contents": contents(request), "words": words, "found": found}
        return pages.respond(request, "guide.html", {**context, "document": None})

    async def show(request: Request) -> Response:
        document = documents.documents.get(request.path_params["name"])
        if document is None:
            raise HTTPException(404)
        context = {"contents": contents(request), "words": "", "found": []}
        return pages.respond(request, "guide.html", {**context, "document": document})

    async def picture(request: Request) -> Response:
        path = documents.picture(request.path_params["name"])
        if path is None:
            raise HTTPException(404)
        return FileResponse(path, media_type=PICTURE_TYPES[path.suffix])

    return [
        Route("/guide", index),
        Route("/guide/pictures/{name:str}", picture),
        Route("/guide/{name:str}", show),
    ]
