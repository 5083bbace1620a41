"""The page of the gRPC service, made from the comments of the proto files."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

from tools.docs.markdown import code, table
from tools.generate_stubs import CONTRACT, WELL_KNOWN

PACKAGE = "anagnorisis.v1"
HEAD = """\
# The gRPC service

Generated from the comments in `proto/anagnorisis/v1` by `make docs`; do not edit it here.
[Write a client](first-client.md) has examples.
"""
# Field numbers of descriptor.proto, of which the paths to comments are made.
FILE_PACKAGE, FILE_MESSAGE, FILE_ENUM, FILE_SERVICE = 2, 4, 5, 6
INNER = 2
"""Fields of a message, values of an enumeration and methods of a service have the same number."""


class Service(NamedTuple):
    """A service, what is said of it, and its methods with what is said of each."""

    descriptor: ServiceDescriptorProto
    comment: str
    methods: list[tuple[MethodDescriptorProto, str]]


class Kind(NamedTuple):
    """A message or an enumeration, and what is said of it and of its parts."""

    descriptor: DescriptorProto | EnumDescriptorProto
    comment: str
    parts: list[str]


class Contract(NamedTuple):
    """Everything in the proto files, in their order; kinds by their name."""

    comment: str
    services: list[Service]
    kinds: dict[str, Kind]


def page() -> str:
    """Return the page in Markdown."""
    contract = read()
    used: set[str] = set()
    lines = [HEAD, _paragraphs(contract.comment), ""]
    for service in contract.services:
        lines += [f"## {service.descriptor.name}", "", _paragraphs(service.comment), ""]
        for method, comment in service.methods:
            lines += [f"### {method.name}", "", _signature(method), "", _paragraphs(comment), ""]
            for name in (_short(method.input_type), _short(method.output_type)):
                used.add(name)
                lines += [f"{code(name)}: {_paragraphs(contract.kinds[name].comment)}", ""]
                lines += _parts(contract.kinds[name])
    lines += ["## Shared messages", ""]
    for name in sorted(contract.kinds.keys() - used):
        kind = contract.kinds[name]
        lines += [f"### {name}", "", _paragraphs(kind.comment), "", *_parts(kind)]
    return "\n".join(lines).rstrip() + "\n"


def read() -> Contract:
    """Return the contract with its comments.

    Raises:
        RuntimeError: the compiler refused it; its complaint is on standard error.
    """
    services: list[Service] = []
    kinds: dict[str, Kind] = {}
    comment = ""
    for file in _track_features():
        said = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}
        comment = said.get((FILE_PACKAGE,), "") or comment
        services += _services(file, said)
        kinds |= _kinds(file, said)
    return Contract(comment, services, kinds)


def _track_features() -> list[FileDescriptorProto]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "contract"
        arguments = [
            "protoc",
            f"--proto_path={CONTRACT}",
            f"--proto_path={WELL_KNOWN}",
            "--include_source_info",
            f"--descriptor_set_out={target}",
            *(str(path.relative_to(CONTRACT)) for path in sorted(CONTRACT.rglob("*.proto"))),
        ]
        if protoc.main(arguments) != 0:
            raise RuntimeError("protoc refused the contract")
        files = FileDescriptorSet.FromString(target.read_bytes()).file
    return [file for file in files if file.package == PACKAGE]


def _services(file: FileDescriptorProto, said: dict[tuple[int, ...], str]) -> Iterator[Service]:
    for place, service in enumerate(file.service):
        here = (FILE_SERVICE, place)
        methods = [
            (method, said.get((*here, INNER, at), "")) for at, method in enumerate(service.method)
        ]
        yield Service(service, said.get(here, ""), methods)


def _kinds(file: FileDescriptorProto, said: dict[tuple[int, ...], str]) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for place, message in enumerate(file.message_type):
        here = (FILE_MESSAGE, place)
        parts = [said.get((*here, INNER, at), "") for at in range(len(message.field))]
        found[message.name] = Kind(message, said.get(here, ""), parts)
    for place, words in enumerate(file.enum_type):
        here = (FILE_ENUM, place)
        parts = [said.get((*here, INNER, at), "") for at in range(len(words.value))]
        found[words.name] = Kind(words, said.get(here, ""), parts)
    return found


def _signature(method: MethodDescriptorProto) -> str:
    stream = "stream " if method.server_streaming else ""
    return code(f"({_short(method.input_type)}) returns ({stream}{_short(method.output_type)})")


def _parts(kind: Kind) -> list[str]:
    if isinstance(kind.descriptor, EnumDescriptorProto):
        rows = [
            (code(value.name), str(value.number), _line(said))
            for value, said in zip(kind.descriptor.value, kind.parts, strict=True)
        ]
        return table(("value", "number", "meaning"), rows)
    if not kind.descriptor.field:
        return []
    rows = [
        (code(field.name), _type(field, kind.descriptor), _line(said))
        for field, said in zip(kind.descriptor.field, kind.parts, strict=True)
    ]
    return table(("field", "type", "meaning"), rows)


def _type(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    name = _short(field.type_name) if field.type_name else _scalar(field)
    entry = next((one for one in message.nested_type if one.name == name), None)
    if entry is not None:
        return f"map of {', '.join(_scalar(one) for one in entry.field)}"
    own = field.type_name.startswith(f".{PACKAGE}.")
    shown = f"[{name}](#{name.lower()})" if own else name
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {shown}"
    if field.proto3_optional:
        return f"optional {shown}"
    if field.HasField("oneof_index"):
        return f"{shown}, one of `{message.oneof_decl[field.oneof_index].name}`"
    return shown


def _scalar(field: FieldDescriptorProto) -> str:
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _short(name: str) -> str:
    return name.removeprefix(f".{PACKAGE}.").removeprefix(".google.protobuf.").split(".")[-1]


def _line(comment: str) -> str:
    return " ".join(comment.split())


def _paragraphs(comment: str) -> str:
    """Return a comment as Markdown; lists get the empty line before them that Markdown wants."""
    lines: list[str] = []
    for line in (raw.strip() for raw in comment.strip().splitlines()):
        if line.startswith("- ") and lines and lines[-1] and not _in_list(lines):
            lines.append("")
        lines.append(f"  {line}" if _in_list(lines) and not line.startswith("- ") else line)
    return "\n".join(line.rstrip() for line in lines)


def _in_list(lines: list[str]) -> bool:
    return bool(lines) and lines[-1].startswith(("- ", "  "))
