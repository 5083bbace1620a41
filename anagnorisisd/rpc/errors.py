"""Translation of exceptions to gRPC status codes.

Servicers do not catch the exceptions of the services. The interceptor `ErrorTranslation` returns
the status code, the error's text, and a machine-readable `google.rpc.ErrorInfo` to the caller.
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
METHOD_PREFIX = "/anagnorisis.v1."
MAX_MESSAGE_BYTES = 1500

CODES: tuple[tuple[type[Exception], int], ...] = (
    (errors.InvalidValue, code_pb2.INVALID_ARGUMENT),
    (errors.UnknownTrack, code_pb2.NOT_FOUND),
    (errors.NoCover, code_pb2.NOT_FOUND),
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
"""The first matching row applies. Any other exception is a bug: INTERNAL, and a log entry."""


def status_of(error: Exception) -> status_pb2.Status:
    """Return the gRPC status for `error`."""
    for kind, code in CODES:
        if isinstance(error, kind):
            return _status(code, str(error), _reason(error), _metadata(error))
    text = "internal error; see the daemon's log"
    return _status(code_pb2.INTERNAL, text, "INTERNAL_ERROR", {})


class ErrorTranslation(aio.ServerInterceptor):
    """Translates exceptions of methods and undecodable requests to gRPC statuses."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None:
            return handler
        codecs = {
            "request_deserializer": _safe_deserializer(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }
        if handler.request_streaming:  # Only reflection has streaming requests.
            return grpc.stream_stream_rpc_method_handler(
                _translate_bidirectional(handler.stream_stream, method), **codecs
            )
        if handler.response_streaming:
            behaviour = handler.unary_stream
            # `Watch` of the health service is a coroutine that writes to the context.
            wrap = (
                _translate_response_stream
                if inspect.isasyncgenfunction(behaviour)
                else _translate_unary
            )
            return grpc.unary_stream_rpc_method_handler(wrap(behaviour, method), **codecs)
        return grpc.unary_unary_rpc_method_handler(
            _translate_unary(handler.unary_unary, method), **codecs
        )


@dataclass(frozen=True, slots=True)
class _UndecodableRequest:
    """Replaces a request whose bytes are not a valid message of the method's request type."""

    reason: str


def _safe_deserializer(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Return a deserializer that returns `_UndecodableRequest` instead of raising.

    If a deserializer raises, grpc.aio returns UNKNOWN to the caller and logs a traceback.
    """

    def deserialize(content: bytes) -> Any:
        try:
            return deserializer(content)
        except Exception as error:
            return _UndecodableRequest(str(error))

    return deserialize


def _require_decoded(request: Any) -> Any:
    if isinstance(request, _UndecodableRequest):
        raise errors.InvalidValue("request", f"not a message of this method ({request.reason})")
    return request


def _translate_unary(behaviour: Any, method: str) -> Callable[[Any, Any], Awaitable[Any]]:
    async def translated_method(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await behaviour(_require_decoded(request), context)
        except Exception as error:
            await _abort(context, error, method)

    return translated_method


def _translate_response_stream(
    behaviour: Any, method: str
) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def translated_method(
        request: Any, context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        try:
            async with aclosing(behaviour(_require_decoded(request), context)) as messages:
                async for message in messages:
                    yield message
        except Exception as error:
            await _abort(context, error, method)

    return translated_method


def _translate_bidirectional(
    behaviour: Any, method: str
) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def translated_method(
        requests: Any, context: aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        try:
            async with aclosing(behaviour(_require_all_decoded(requests), context)) as messages:
                async for message in messages:
                    yield message
        except Exception as error:
            await _abort(context, error, method)

    return translated_method


async def _require_all_decoded(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _require_decoded(request)


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
    return status_pb2.Status(code=code, message=_shortened(text), details=[detail])


def _shortened(text: str) -> str:
    """Return the text, without its middle if it is too long for the headers of a response.

    Clients refuse headers above 8 kB, and the text is sent twice, once with up to three bytes for
    each; an error that quotes a long path would reach nobody.
    """
    encoded = text.encode()
    if len(encoded) <= MAX_MESSAGE_BYTES:
        return text
    first, last = encoded[: MAX_MESSAGE_BYTES * 2 // 3], encoded[-MAX_MESSAGE_BYTES // 3 :]
    return f"{first.decode(errors='ignore')} … {last.decode(errors='ignore')}"


def _reason(error: Exception) -> str:
    """Return the `reason` of ErrorInfo: `UnknownTrack` becomes `UNKNOWN_TRACK`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).upper()


def _metadata(error: Exception) -> dict[str, str]:
    return {"field": error.field} if isinstance(error, errors.InvalidValue) else {}
