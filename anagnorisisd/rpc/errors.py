"""Errors at the edge of gRPC: the one place where our tree becomes status codes.

Servicers raise what the services raise; this interceptor answers the caller with the code, the
error's own text, and a `google.rpc.ErrorInfo` that programs can read.
"""

import inspect
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from anagnorisisd import errors

log = logging.getLogger(__name__)

DOMAIN = "anagnorisis"
OURS = "/anagnorisis.v1."

CODES: tuple[tuple[type[Exception], int], ...] = (
    (errors.InvalidValue, code_pb2.INVALID_ARGUMENT),
    (errors.UnknownTrack, code_pb2.NOT_FOUND),
    (errors.PreconditionFailed, code_pb2.FAILED_PRECONDITION),
    (errors.PlayerRefused, code_pb2.FAILED_PRECONDITION),
    (errors.PlayerUnavailable, code_pb2.UNAVAILABLE),
    (errors.LimitReached, code_pb2.RESOURCE_EXHAUSTED),
    (errors.StoreFull, code_pb2.RESOURCE_EXHAUSTED),
    (errors.StoreUnavailable, code_pb2.UNAVAILABLE),
    (errors.StoreUnwritable, code_pb2.FAILED_PRECONDITION),
    (errors.StoreLost, code_pb2.FAILED_PRECONDITION),
    (errors.StoreDamaged, code_pb2.DATA_LOSS),
    (errors.WorkerLost, code_pb2.ABORTED),
    (errors.AnagnorisisError, code_pb2.INTERNAL),
)
"""The first row that fits counts. Everything else is a mistake of ours: INTERNAL, and logged."""


def status_of(error: Exception) -> status_pb2.Status:
    """Return what the caller is told about `error`."""
    for kind, code in CODES:
        if isinstance(error, kind):
            return _status(code, str(error), _reason(error), _metadata(error))
    text = "the daemon failed at this request; its log says why"
    return _status(code_pb2.INTERNAL, text, "INTERNAL_ERROR", {})


class ErrorTranslation(aio.ServerInterceptor):
    """Answers errors of our methods, and bytes that are no message, with their status."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the method that a call is for."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None:
            return handler
        codecs = {
            "request_deserializer": _total(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }
        if handler.request_streaming:  # Reflection alone.
            return grpc.stream_stream_rpc_method_handler(
                _conversing(handler.stream_stream, method), **codecs
            )
        if handler.response_streaming:
            behaviour = handler.unary_stream
            # The health service is none of ours: a coroutine that writes into the context.
            wrap = _streaming if inspect.isasyncgenfunction(behaviour) else _single
            return grpc.unary_stream_rpc_method_handler(wrap(behaviour, method), **codecs)
        return grpc.unary_unary_rpc_method_handler(_single(handler.unary_unary, method), **codecs)


@dataclass(frozen=True, slots=True)
class _NoMessage:
    """What stands for bytes that are no message of the kind that a method takes."""

    reason: str


def _total(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return the deserializer with a value in place of its errors.

    grpc.aio answers those with UNKNOWN, and logs a traceback for each.
    """

    def read(content: bytes) -> Any:
        try:
            return deserializer(content)
        except Exception as error:
            return _NoMessage(str(error))

    return read


def _checked(request: Any) -> Any:
    if isinstance(request, _NoMessage):
        raise errors.InvalidValue("request", f"not a message of this method ({request.reason})")
    return request


def _single(behaviour: Any, method: str) -> Callable[[Any, Any], Awaitable[Any]]:
    async def answer(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await behaviour(_checked(request), context)
        except Exception as error:
            await _abort(context, error, method)

    return answer


def _streaming(behaviour: Any, method: str) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def answer(request: Any, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        try:
            async with aclosing(behaviour(_checked(request), context)) as messages:
                async for message in messages:
                    yield message
        except Exception as error:
            await _abort(context, error, method)

    return answer


def _conversing(behaviour: Any, method: str) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def answer(requests: Any, context: aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        try:
            async with aclosing(behaviour(_all_checked(requests), context)) as messages:
                async for message in messages:
                    yield message
        except Exception as error:
            await _abort(context, error, method)

    return answer


async def _all_checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Yield requests as long as they are messages."""
    async for request in requests:
        yield _checked(request)


async def _abort(context: aio.ServicerContext[Any, Any], error: Exception, method: str) -> None:
    if isinstance(error, aio.AbortError):
        raise error
    if not isinstance(error, errors.AnagnorisisError):
        log.error("%s failed: %s", method, error, exc_info=error)
    status = rpc_status.to_status(status_of(error))
    await context.abort(status.code, status.details, status.trailing_metadata)


def _status(code: int, text: str, reason: str, metadata: dict[str, str]) -> status_pb2.Status:
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)
    detail = any_pb2.Any()
    detail.Pack(info)
    return status_pb2.Status(code=code, message=text, details=[detail])


def _reason(error: Exception) -> str:
    """Return the error's name as ErrorInfo wants it: `UnknownTrack` becomes `UNKNOWN_TRACK`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).upper()


def _metadata(error: Exception) -> dict[str, str]:
    return {"field": error.field} if isinstance(error, errors.InvalidValue) else {}
