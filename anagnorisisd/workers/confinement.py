"""Confining a process that reads foreign bytes: a hole in a decoder must not open everything.

| by                                   | what the process can no longer do                      |
|--------------------------------------|--------------------------------------------------------|
| Landlock (Linux 5.13)                | read or write but where it may, run other programs     |
| Landlock from 6.7 on                 | bind or connect by TCP                                 |
| Landlock from 6.12 on                | send signals to others                                 |
| libseccomp, where it is installed    | make any socket, trace others, and a few things alike  |

Each is a step of its own: where the kernel cannot do one, the others are taken all the same.
`doctor` tries what is left. The numbers are the kernel's (`linux/landlock.h`), and the same on
every processor; glibc has no functions for them.
"""

import ctypes
import errno
import os
import site
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1
PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
TRUNCATE = 1 << 14
EXECUTE, REMOVE_AND_MAKE, REFER = 1 << 0, 0b1_1111_1111 << 4, 1 << 13
IOCTL_DEVICE = 1 << 15
SINCE = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEVICE}
"""Which rights over files each version of Landlock has added."""

TCP, TCP_SINCE = 0b11, 4
ABSTRACT_SOCKETS_AND_SIGNALS, SCOPES_SINCE = 0b11, 6

READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | TRUNCATE | REMOVE_AND_MAKE | REFER
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
"""The rights that a rule over a single file may give."""

SYSTEM = (
    "/usr", "/lib", "/lib64", "/nix/store", "/gnu/store", "/sys",
    "/etc/ld.so.cache", "/etc/localtime",
    # Not all of /proc: the environment of the daemon may hold MPD's password.
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
ALLOW, REFUSE = 0x7FFF_0000, 0x0005_0000 | errno.EACCES
DENIED_CALLS = (
    "socket", "io_uring_setup", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",
    "bpf", "perf_event_open", "keyctl", "add_key", "request_key", "mount", "unshare", "setns",
    "open_by_handle_at", "userfaultfd", "execve", "execveat",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Confinement:
    """Where a process may read, and where it may write too; no network, no other programs."""

    readable: tuple[str, ...]
    writable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Confined:
    """What took hold: the version of Landlock, 0 for none, and whether seccomp did."""

    landlock: int
    seccomp: bool


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64),
    )  # fmt: skip


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def confine(confinement: Confinement) -> Confined:
    """Confine this thread and all that it starts, for good; what the kernel cannot do is left out.

    Call it before there are other threads.
    """
    # Landlock first: it takes calls that seccomp may refuse.
    return Confined(_landlock(confinement), _seccomp())


def landlock_version() -> int:
    """Return which version of Landlock the kernel has; 0 for none."""
    return max(0, _call(CREATE_RULESET, None, 0, ASK_VERSION))


def _landlock(confinement: Confinement) -> int:
    version = landlock_version()
    if not version:
        return 0
    handled = 0
    for since, rights in SINCE.items():
        handled |= rights if version >= since else 0
    ruleset = _Ruleset(
        handled,
        TCP if version >= TCP_SINCE else 0,
        ABSTRACT_SOCKETS_AND_SIGNALS if version >= SCOPES_SINCE else 0,
    )
    size = 8 if version < TCP_SINCE else 16 if version < SCOPES_SINCE else 24
    descriptor = _call(CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    if descriptor < 0:
        return 0
    try:
        for path in {*confinement.readable, *SYSTEM, *_pythons()}:
            _permit(descriptor, path, READ & handled)
        for path in {*confinement.writable, *DEVICES}:
            _permit(descriptor, path, WRITE & handled)
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return version if _call(RESTRICT_SELF, descriptor, 0) == 0 else 0
    finally:
        os.close(descriptor)


def _pythons() -> Iterable[str]:
    """Return where Python, its packages and the libraries that it has loaded lie."""
    yield from (sys.prefix, sys.base_prefix, sys.exec_prefix, *site.getsitepackages())
    # Not all of `sys.path`: it has the folder that the daemon was started in.
    yield from (path for path in sys.path if path.endswith("-packages"))
    yield str(Path(__file__).parents[2])
    with suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            if line.endswith(".so") or ".so." in line:
                yield str(Path(line[line.index("/") :]).parent)


def _permit(ruleset: int, path: str, rights: int) -> None:
    """Give rights over a file, or a folder and all below it; what is not there needs none."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= OF_A_FILE
        beneath = _Beneath(rights, descriptor)
        _call(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(beneath), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    try:
        return int(ctypes.CDLL(None).syscall(ctypes.c_long(number), *arguments))
    except AttributeError:
        return -1


def _seccomp() -> bool:
    """Refuse `DENIED_CALLS`, by libseccomp."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
        library.seccomp_init.restype = ctypes.c_void_p
        filters = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(ALLOW)))
    except (OSError, AttributeError):
        return False
    if not filters:
        return False
    try:
        for name in DENIED_CALLS:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:
                library.seccomp_rule_add(
                    filters, ctypes.c_uint32(REFUSE), ctypes.c_int(number), ctypes.c_uint(0)
                )
        return bool(library.seccomp_load(filters) == 0)
    finally:
        library.seccomp_release(filters)
