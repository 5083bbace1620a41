"""Reading lists that come in pages."""

from collections.abc import Callable
from typing import Any

from anagnorisis.connection import SECONDS_TO_ANSWER

LARGEST_PAGE = 1000


def collected(method: Callable[..., Any], request: Any, field: str, limit: int) -> list[Any]:
    """Return the first `limit` entries of a list; `field` names it in the answer."""
    entries: list[Any] = []
    while len(entries) < limit:
        request.page_size = min(LARGEST_PAGE, limit - len(entries))
        answer = method(request, timeout=SECONDS_TO_ANSWER)
        entries.extend(getattr(answer, field))
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    return entries
