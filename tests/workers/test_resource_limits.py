"""Limits on CPU time, in a process of their own: a mistake would end the tests."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def run(script: str) -> "subprocess.CompletedProcess[str]":
    imports = "import resource, signal, time; from anagnorisisd.workers import resource_limits"
    return subprocess.run(
        [sys.executable, "-c", f"{imports}\n{script}"], capture_output=True, text=True, check=False
    )


def test_signal_after_the_limit_is_ignored() -> None:
    done = run(
        "with resource_limits.limit_cpu_time(60): pass\n"
        "signal.raise_signal(signal.SIGPROF); print('alive')"
    )

    assert done.stdout == "alive\n", done.returncode


def test_signal_while_the_limit_is_lifted_leaves_no_limit() -> None:
    done = run(
        "setitimer = signal.setitimer\n"
        "def expire(timer, seconds, interval=0):\n"
        "    if not seconds: signal.raise_signal(signal.SIGPROF)\n"
        "    setitimer(timer, seconds, interval)\n"
        "signal.setitimer = expire\n"
        "with resource_limits.limit_cpu_time(60): pass\n"
        "print(signal.getitimer(signal.ITIMER_PROF), resource.getrlimit(resource.RLIMIT_CPU)[0])"
    )

    assert done.stdout == "(0.0, 0.0) -1\n", done.stderr
