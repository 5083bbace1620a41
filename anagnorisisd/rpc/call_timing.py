"""How long calls take: an interceptor that tells somebody after each."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc import aio

from anagnorisisd.rpc.errors import OURS

Told = Callable[[str, str, float], None]
"""Takes `Service/Method`, the status code's name, and seconds."""

NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


class CallTiming(aio.ServerInterceptor):
    """Times our unary methods; streams last as long as their callers like."""

    def __init__(self, told: Told) -> None:
        self._told = told

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the method that a call is for."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or handler.response_streaming or not method.startswith(OURS):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self._timed(handler.unary_unary, method.removeprefix(OURS)),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _timed(self, behaviour: Any, method: str) -> Callable[[Any, Any], Awaitable[Any]]:
        async def answer(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
            began, code = time.perf_counter(), "CANCELLED"
            try:
                reply = await behaviour(request, context)
                code = "OK"
                return reply
            except aio.AbortError:
                code = _name(context.code())
                raise
            finally:
                self._told(method, code, time.perf_counter() - began)

        return answer


def _name(code: Any) -> str:
    """Return a status code's name; grpc.aio has it as a number, whatever its types say."""
    return str(getattr(code, "name", None) or NAMES.get(code, "UNKNOWN"))
