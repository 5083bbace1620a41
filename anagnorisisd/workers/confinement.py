"""Confinement of a process that reads untrusted files, so that a bug in a decoder stays harmless.

| mechanism                         | what the process can no longer do                            |
|-----------------------------------|--------------------------------------------------------------|
| Landlock (Linux 5.13)             | access files outside the allowed paths, run programs         |
| Landlock since Linux 6.7          | bind or connect by TCP                                       |
| Landlock since Linux 6.12         | send signals to processes outside                            |
| libseccomp, where it is installed | create sockets, trace other processes, and similar calls     |

Each mechanism is applied on its own: one that the kernel does not support does not prevent the
others. `anagnorisisd doctor` runs `probe` in a confined worker to see what is still possible.
"""

import ctypes
import errno
import os
import site
import socket
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# System call numbers, the same on all architectures; glibc has no wrappers for them.
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
# Constants of linux/landlock.h and linux/prctl.h.
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_AND_MAKE, REFER, TRUNCATE, IOCTL_DEV = 0b1_1111_1111 << 4, 1 << 13, 1 << 14, 1 << 15
FILE_RIGHTS_SINCE_VERSION = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
"""The access rights that each version of Landlock added."""

TCP_RIGHTS, TCP_SINCE_VERSION = 0b11, 4
SCOPES, SCOPES_SINCE_VERSION = 0b11, 6
"""Scopes: abstract Unix sockets, signals."""

READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | TRUNCATE | REMOVE_AND_MAKE | REFER
RIGHTS_OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""The rights that a rule for a single file may grant."""

SYSTEM_PATHS = (
    "/usr", "/lib", "/lib64", "/nix/store", "/gnu/store", "/sys",
    "/etc/ld.so.cache", "/etc/localtime",
    # Not all of /proc: the daemon's environment may hold MPD's password.
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")

SECCOMP_ALLOW, SECCOMP_ERRNO_EACCES = 0x7FFF_0000, 0x0005_0000 | errno.EACCES
DENIED_SYSTEM_CALLS = (
    "socket", "io_uring_setup", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",
    "bpf", "perf_event_open", "keyctl", "add_key", "request_key", "mount", "unshare", "setns",
    "open_by_handle_at", "userfaultfd", "execve", "execveat",
)  # fmt: skip

PROBE_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Confinement:
    """The paths that a process may read, and those that it may also write."""

    readable: tuple[str, ...]
    writable: tuple[str, ...] = ()


class _RulesetAttr(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64),
    )  # fmt: skip


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def confine(confinement: Confinement) -> None:
    """Confine this thread and its future children permanently, as far as the kernel supports it.

    Must be called before other threads are started.
    """
    # Landlock first: seccomp may deny system calls that it needs.
    _apply_landlock(confinement)
    _apply_seccomp()


def landlock_version() -> int:
    """Return the kernel's version of Landlock; 0 for none."""
    return max(0, _syscall(LANDLOCK_CREATE_RULESET, None, 0, CREATE_RULESET_VERSION))


def _apply_landlock(confinement: Confinement) -> None:
    version = landlock_version()
    if not version:
        return
    handled = 0
    for since, rights in FILE_RIGHTS_SINCE_VERSION.items():
        handled |= rights if version >= since else 0
    attributes = _RulesetAttr(
        handled,
        TCP_RIGHTS if version >= TCP_SINCE_VERSION else 0,
        SCOPES if version >= SCOPES_SINCE_VERSION else 0,
    )
    # An older kernel rejects a structure with fields that it does not know.
    size = 8 if version < TCP_SINCE_VERSION else 16 if version < SCOPES_SINCE_VERSION else 24
    ruleset = _syscall(LANDLOCK_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    if ruleset < 0:
        return
    try:
        for path in {*confinement.readable, *SYSTEM_PATHS, *_python_directories()}:
            _add_rule(ruleset, path, READ & handled)
        for path in {*confinement.writable, *DEVICES}:
            _add_rule(ruleset, path, WRITE & handled)
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _python_directories() -> Iterable[str]:
    """Return the directories of Python, its packages and the shared libraries it has loaded."""
    yield from (sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages())
    # Not all of `sys.path`: it contains the directory that the daemon was started in.
    yield from (path for path in sys.path if path.endswith("-packages"))
    yield str(Path(__file__).parents[2])
    with suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            if line.endswith(".so") or ".so." in line:
                yield str(Path(line[line.index("/") :]).parent)


def _add_rule(ruleset: int, path: str, rights: int) -> None:
    """Grant rights for a file, or for a directory and everything below; ignore missing paths."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= RIGHTS_OF_A_FILE
        rule = _PathBeneathAttr(rights, descriptor)
        _syscall(LANDLOCK_ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _syscall(number: int, *arguments: object) -> int:
    try:
        return int(ctypes.CDLL(None).syscall(ctypes.c_long(number), *arguments))
    except AttributeError:  # not Linux
        return -1


def _apply_seccomp() -> None:
    """Make `DENIED_SYSTEM_CALLS` fail with EACCES, if libseccomp is installed."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
        library.seccomp_init.restype = ctypes.c_void_p
        filters = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(SECCOMP_ALLOW)))
    except (OSError, AttributeError):
        return
    if not filters:
        return
    try:
        for name in DENIED_SYSTEM_CALLS:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:
                library.seccomp_rule_add(
                    filters,
                    ctypes.c_uint32(SECCOMP_ERRNO_EACCES),
                    ctypes.c_int(number),
                    ctypes.c_uint(0),
                )
        library.seccomp_load(filters)
    finally:
        library.seccomp_release(filters)


def probe(directory: str, port: int) -> list[str]:
    """Try what a confined process must not be able to do, and return what succeeded, in words.

    `directory` contains the files `secret` and `victim` and a Unix socket `socket`; a server
    listens on TCP `port` of 127.0.0.1. All of them are outside the paths of the confinement.
    """
    attempts: dict[str, Callable[[], object]] = {
        "read files elsewhere": lambda: Path(directory, "secret").read_bytes(),
        "write files": lambda: Path(directory, "written").write_bytes(b"?"),
        "delete files": lambda: Path(directory, "victim").unlink(),
        "connect by TCP": lambda: _connect(socket.AF_INET, ("127.0.0.1", port)),
        "send by UDP": lambda: _send_datagram(("127.0.0.1", port)),
        "connect to Unix sockets": lambda: _connect(socket.AF_UNIX, str(Path(directory, "socket"))),
        "run programs": _run_program,
    }
    succeeded = []
    for name, attempt in attempts.items():
        with suppress(OSError):
            attempt()
            succeeded.append(name)
    return succeeded


def _connect(family: int, address: str | tuple[str, int]) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(PROBE_TIMEOUT_SECONDS)
        client.connect(address)


def _send_datagram(address: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"?", address)


def _run_program() -> None:
    process = os.posix_spawn("/usr/bin/env", ["env", "true"], os.environ)
    _, status = os.waitpid(process, 0)
    if status != 0:
        raise PermissionError
