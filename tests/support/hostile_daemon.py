"""A daemon whose every answer has hostile text in all its fields."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from anagnorisis.v1 import (
    daemon_pb2,
    evaluator_pb2,
    history_pb2,
    library_pb2,
    pick_pb2,
    playback_pb2,
    rating_pb2,
)

CONTRACTS = (
    daemon_pb2, evaluator_pb2, history_pb2, library_pb2, pick_pb2, playback_pb2, rating_pb2
)  # fmt: skip
HOSTILE = (
    "\"><script>document.title='ran'</script>'><img src=x onerror=\"document.title='ran'\">"
    "</title></textarea></option></svg><svg onload=\"document.title='ran'\"> {{ 7 * 7 }} {% raw %}"
    " javascript:alert(1) \x00\x1b[31m\u202e &amp; \r\nSet-Cookie: a=b"
)
MAX_DEPTH = 6
EVENTS = ("track_rated", "playback_changed", "upcoming_picks_changed", "library_changed")
NO_SUCH_FILE = {"GetCover", "ReadAudio"}


@contextmanager
def hostile_daemon(socket: Path) -> Iterator[None]:
    """Serve all services on a socket."""
    server = grpc.server(ThreadPoolExecutor(32))
    for contract in CONTRACTS:
        for service in contract.DESCRIPTOR.services_by_name.values():
            handlers = {method.name: _handler(method) for method in service.methods}
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service.full_name, handlers),)
            )
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


def _handler(method: MethodDescriptor) -> Any:
    request = GetMessageClass(method.input_type)
    answer = GetMessageClass(method.output_type)
    make = grpc.unary_stream_rpc_method_handler if method.server_streaming else (
        grpc.unary_unary_rpc_method_handler
    )  # fmt: skip
    behaviour = _stream(method, answer) if method.server_streaming else _single(answer)
    return make(
        behaviour,
        request_deserializer=request.FromString,
        response_serializer=answer.SerializeToString,
    )


def _single(answer: type[Message]) -> Callable[..., Message]:
    return lambda _request, _context: filled(answer())


def _stream(method: MethodDescriptor, answer: type[Message]) -> Callable[..., Iterator[Message]]:
    def respond(_request: Message, context: grpc.ServicerContext) -> Iterator[Message]:
        if method.name in NO_SUCH_FILE:
            context.abort(grpc.StatusCode.NOT_FOUND, HOSTILE.replace("\x00", ""))
        if method.name != "WatchEvents":
            yield filled(answer())
            return
        for number, event in enumerate(("heartbeat", *EVENTS), 1):
            message = daemon_pb2.WatchEventsResponse(epoch="1", sequence=number)
            filled(getattr(message, event))
            getattr(message, event).SetInParent()
            yield message
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait()

    return respond


def filled(message: Message, depth: int = 0) -> Message:
    """Fill all fields of a message; repeated ones with two elements."""
    for field in message.DESCRIPTOR.fields:
        if depth > MAX_DEPTH:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            getattr(message, field.name)[_value(key)] = _value(value)
        elif field.is_repeated:
            values = getattr(message, field.name)
            for _ in range(2):
                if field.message_type:
                    filled(values.add(), depth + 1)
                else:
                    values.append(_value(field))
        elif field.message_type:
            filled(getattr(message, field.name), depth + 1)
            getattr(message, field.name).SetInParent()
        else:
            setattr(message, field.name, _value(field))
    return message


def _value(field: Any) -> Any:
    if field.name in {"next_page_token", "track_id"}:
        return "0" * 32 if field.name == "track_id" else ""  # a hash, which no tag can change
    if field.type == FieldDescriptor.TYPE_STRING:
        return HOSTILE
    if field.type == FieldDescriptor.TYPE_BYTES:
        return HOSTILE.encode()
    return True if field.type == FieldDescriptor.TYPE_BOOL else 1
