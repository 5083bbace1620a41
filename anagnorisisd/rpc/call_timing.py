"""Interceptor that measures the duration of gRPC calls."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc import aio

from anagnorisisd.rpc.errors import METHOD_PREFIX

RecordCall = Callable[[str, str, float], None]
"""Called after each call with `Service/Method`, the name of the status code, and seconds."""

CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


class CallTiming(aio.ServerInterceptor):
    """Measures unary methods of this API. The caller decides how long a stream lasts."""

    def __init__(self, record: RecordCall) -> None:
        self._record = record

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or handler.response_streaming or not method.startswith(METHOD_PREFIX):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self._timed(handler.unary_unary, method.removeprefix(METHOD_PREFIX)),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _timed(self, behaviour: Any, method: str) -> Callable[[Any, Any], Awaitable[Any]]:
        async def timed_method(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
            started, code = time.perf_counter(), "CANCELLED"
            try:
                reply = await behaviour(request, context)
                code = "OK"
                return reply
            except aio.AbortError:
                code = _code_name(context.code())
                raise
            finally:
                self._record(method, code, time.perf_counter() - started)

        return timed_method


def _code_name(code: Any) -> str:
    """Return the name of a status code: grpc.aio returns a number, contrary to its type hints."""
    return str(getattr(code, "name", None) or CODE_NAMES.get(code, "UNKNOWN"))
