"""The command line of the daemon: arguments and configuration in, an exit code out."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from anagnorisis import atomic_write
from anagnorisisd import console
from anagnorisisd.config import load, paths
from anagnorisisd.config.schema import Config
from anagnorisisd.console.download_progress import DownloadProgress
from anagnorisisd.doctor.finding import Finding
from anagnorisisd.errors import AlreadyRunning, AnagnorisisError, ConfigError
from anagnorisisd.runtime import executor_shutdown, log_setup
from anagnorisisd.storage import state_lock

FLAGS = {
    "music": ("music", "directory"),
    "mpd": ("mpd", "address"),
    "state": ("state", "directory"),
    "log_level": ("log", "level"),
}
FAILED, MISCONFIGURED, TRY_LATER = 1, 2, 75
"""Exit codes; 75 is EX_TEMPFAIL of sysexits.h. 2 is also argparse's for wrong usage."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` and return its exit code; errors are said in one line each."""
    # Under a wide umask folders above ours would be made so that anybody could replace ours.
    os.umask(os.umask(0o077) | 0o022)
    code = _carried_out(build().parse_args(argv))
    executor_shutdown.leave_if_held(code)
    return code


def _carried_out(arguments: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], int | None] = arguments.command
    try:
        return command(arguments) or 0
    except ConfigError as error:
        return _told(error, MISCONFIGURED)
    except AlreadyRunning as error:
        return _told(error, TRY_LATER)
    except AnagnorisisError as error:
        return _told(error, FAILED)
    except KeyboardInterrupt:
        return _told("interrupted", FAILED)


def _told(what: object, code: int) -> int:
    print(what, file=sys.stderr)
    return code


def build() -> argparse.ArgumentParser:
    """Return the parser of the command line; long as the list of what can be typed is."""
    flags = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    flags.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file instead of the listener's own"
    )
    flags.add_argument("--music", metavar="FOLDER", help="the music folder")
    flags.add_argument("--mpd", metavar="ADDRESS", help="MPD's socket path or host:port")
    flags.add_argument("--state", metavar="FOLDER", help="where to keep what is known")
    flags.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")
    parser = argparse.ArgumentParser(
        prog="anagnorisisd",
        parents=[flags],
        description="Keeps an MPD queue filled with what you will like. Without a command: run.",
    )
    parser.add_argument(
        "--version", action="version", version=f"anagnorisisd {version('anagnorisisd')}"
    )
    parser.set_defaults(command=_run)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, command, summary in (
        ("run", _run, "watch the music, learn, and keep the queue filled"),
        ("check-config", _check_config, "say what is wrong with the configuration, or what holds"),
        ("doctor", _doctor, "check everything, and say what to do; --json for programs"),
        ("backup", _back_up, "copy all that is known to FILE; the daemon may run meanwhile"),
        ("restore", _restore, "put FILE, a backup, in the place of all that is known"),
        (
            "install",
            _install,
            "put unit, programs, man page and completions into ~/.local, "
            "or into /usr/local with --system",
        ),
        (
            "uninstall",
            _uninstall,
            "take that away again, from /usr/local with --system; what was learnt stays",
        ),
    ):
        added = commands.add_parser(name, parents=[flags], help=summary, description=summary)
        added.set_defaults(command=command)
        if "FILE" in summary:
            added.add_argument("file", type=Path, metavar="FILE")
        if "--system" in summary:
            added.add_argument("--system", action="store_true", help="for the whole computer")
        if "--json" in summary:
            added.add_argument("--json", action="store_true", help="print a list of findings")
    fetching = "fetch MERT, the better embedder (378 MB, for non-commercial use)"
    fetch = commands.add_parser("fetch-model", parents=[flags], help=fetching, description=fetching)
    fetch.add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER", help="take it from there instead"
    )
    fetch.set_defaults(command=_fetch_model)
    return parser


def _configured(arguments: argparse.Namespace) -> tuple[Config, paths.Paths]:
    config = _read(arguments)
    return config, paths.resolve(config, os.environ)


def _read(arguments: argparse.Namespace) -> Config:
    return load.load(_flags(arguments), os.environ, getattr(arguments, "config", None))


def _flags(arguments: argparse.Namespace) -> load.Flags:
    return {
        key: (f"--{name.replace('_', '-')}", getattr(arguments, name))
        for name, key in FLAGS.items()
        if hasattr(arguments, name)
    }


def _run(arguments: argparse.Namespace) -> None:
    config, where = _configured(arguments)
    log_setup.start(config.log, os.environ)
    # What these import takes a while; wrong usage is told at once.
    from anagnorisisd import daemon
    from anagnorisisd.runtime.config_reload import ConfigReloader

    configured = ConfigReloader(config, partial(_read, arguments))
    screen = console.screen_for(sys.stdout, os.environ)
    try:
        executor_shutdown.run(daemon.run(configured, where, screen))
    finally:
        if screen:
            screen.close()


def _fetch_model(arguments: argparse.Namespace) -> None:
    from anagnorisisd.embedding.fetch_model import fetch  # the hub's client takes a while
    from anagnorisisd.embedding.published_models import MERT

    _, where = _configured(arguments)
    print(MERT.notice)
    folder = fetch(where.models, arguments.source, DownloadProgress(sys.stdout))
    print(f"It lies in {folder}; a running daemon takes it over by itself.")


def _check_config(arguments: argparse.Namespace) -> None:
    _, where = _configured(arguments)
    files = load.sources(getattr(arguments, "config", None))
    print("The configuration can be used.")
    for name, value in (
        ("read from", ", ".join(map(str, files)) or "no file; every key has its default"),
        ("music", where.music if where.music.is_dir() else f"{where.music} (not there now)"),
        ("state", where.state),
        ("socket", where.socket),
        ("models", where.models),
        ("cache", where.cache),
    ):
        print(f"  {name:<10} {value}")


def _doctor(arguments: argparse.Namespace) -> int:
    from anagnorisisd.doctor import output

    findings = _findings(arguments)
    print(output.as_json(findings) if arguments.json else output.page(findings))
    return 0 if output.well(findings) else FAILED


def _findings(arguments: argparse.Namespace) -> list[Finding]:
    from anagnorisisd.doctor import checks, runner, running_daemon

    try:
        config, where = _configured(arguments)
    except ConfigError as error:
        return [checks.config(error.problems, ())]
    running = running_daemon.ask(running_daemon.sockets(config, where))
    told = _flags(arguments).keys()
    link = running_daemon.link(running, told)
    if running is not None:
        config, where = running_daemon.adopted(running, config, where, os.environ, told)
    files = tuple(load.sources(getattr(arguments, "config", None)))
    others = asyncio.run(runner.examine(config, where, os.environ, time.time(), link))
    return [checks.config((), files, running), *others]


def _back_up(arguments: argparse.Namespace) -> None:
    _, where = _configured(arguments)
    from anagnorisisd.storage import backups
    from anagnorisisd.storage.stores import FILE_NAME

    backups.back_up(where.state / FILE_NAME, arguments.file)
    if not atomic_write.is_standard_output(str(arguments.file)):
        print(f"All that is known is now in {arguments.file} too.")


def _restore(arguments: argparse.Namespace) -> None:
    _, where = _configured(arguments)
    from anagnorisisd.storage import backups
    from anagnorisisd.storage.stores import FILE_NAME

    database = where.state / FILE_NAME
    with state_lock.held(where.state):
        replaced = backups.restore(arguments.file, database)
    print(f"{database} is now as in {arguments.file}.")
    if replaced:
        print(f"What was there before is kept in {replaced}; remove it when you are content.")


def _install(arguments: argparse.Namespace) -> None:
    from anagnorisisd.install import installer, next_steps, prefix

    place = prefix.computer() if arguments.system else prefix.listener()
    for line in (*installer.install(place), *next_steps.after_installing(place, os.environ)):
        print(line)


def _uninstall(arguments: argparse.Namespace) -> None:
    from anagnorisisd.install import installer, next_steps, prefix

    place = prefix.computer() if arguments.system else prefix.listener()
    for line in (*installer.uninstall(place), *next_steps.after_removing(place)):
        print(line)


if __name__ == "__main__":
    sys.exit(main())
