"""The command line of the daemon: arguments, commands and exit codes.

Commands import what they need when they run, so that `--help` and usage errors are fast.
"""

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
from anagnorisisd.console.plain_screen import DownloadProgress
from anagnorisisd.doctor import finding
from anagnorisisd.errors import AlreadyRunning, AnagnorisisError, ConfigError
from anagnorisisd.extras import install_command, is_installed
from anagnorisisd.runtime import event_loop, log_setup
from anagnorisisd.storage import state_directory

OPTION_KEYS = {
    "music": ("music", "directory"),
    "mpd": ("mpd", "address"),
    "state": ("state", "directory"),
    "log_level": ("log", "level"),
}
"""The configuration key of each option."""

EXIT_FAILURE, EXIT_CONFIG, EXIT_TEMPFAIL = 1, 2, 75
"""2 is also argparse's exit code for wrong usage; 75 is EX_TEMPFAIL of sysexits.h."""

Command = Callable[[argparse.Namespace], int | None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` and return its exit code; errors go to standard error."""
    # With a permissive umask, other users could replace directories that the daemon creates.
    os.umask(os.umask(0o077) | 0o022)
    code = _execute(build_parser().parse_args(argv))
    event_loop.exit_if_blocked(code)
    return code


def _execute(arguments: argparse.Namespace) -> int:
    command: Command = arguments.command
    try:
        return command(arguments) or 0
    except ConfigError as error:
        return _report_error(error, EXIT_CONFIG)
    except AlreadyRunning as error:
        return _report_error(error, EXIT_TEMPFAIL)
    except AnagnorisisError as error:
        return _report_error(error, EXIT_FAILURE)
    except KeyboardInterrupt:
        return _report_error("interrupted", EXIT_FAILURE)


def _report_error(error: object, code: int) -> int:
    print(error, file=sys.stderr)
    return code


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    common = _common_options()
    parser = argparse.ArgumentParser(
        prog="anagnorisisd",
        parents=[common],
        description="Music recommender for MPD. Without a command, run the daemon.",
    )
    parser.add_argument(
        "--version", action="version", version=f"anagnorisisd {version('anagnorisisd')}"
    )
    parser.set_defaults(command=_run)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(name: str, command: Command, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, parents=[common], help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        added.set_defaults(command=command)
        return added

    add("run", _run, "run the daemon in the foreground (default)")
    add("check-config", _check_config, "validate the configuration and show its paths")
    doctor = add("doctor", _doctor, "diagnose the installation and suggest remedies")
    doctor.add_argument("--json", action="store_true", help="print the findings as a JSON list")
    backup = add("backup", _backup, "back up the database; works while the daemon runs")
    backup.add_argument(
        "file", type=Path, metavar="FILE", help="the backup to write, or - for standard output"
    )
    restore = add("restore", _restore, "replace the database with a backup; stop the daemon first")
    restore.add_argument("file", type=Path, metavar="FILE", help="the backup to read")
    for name, command, summary in (
        ("install", _install, "install the systemd unit, programs, man page and shell completions"),
        ("uninstall", _uninstall, "remove what install installed; keeps the database"),
    ):
        add(name, command, summary).add_argument(
            "--system", action="store_true", help="use /usr/local instead of ~/.local"
        )
    fetch = add(
        "fetch-model",
        _fetch_model,
        "download an embedder's weights: musicnn (29 MB, free) or mert (378 MB, non-commercial)",
    )
    fetch.add_argument(
        "model", nargs="?", choices=("mert", "musicnn"), default="mert", help="default: mert"
    )
    fetch.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="PATH",
        help="use these files instead of downloading: MERT's directory, or the wheel of musicnn",
    )
    return parser


def _common_options() -> argparse.ArgumentParser:
    """Return the options that may stand before and after the command."""
    # Without SUPPRESS, the defaults of the command would overwrite options given before it.
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file (default: ~/.config/anagnorisis/config.yaml)",
    )
    options.add_argument("--music", metavar="DIRECTORY", help="music directory")
    options.add_argument("--mpd", metavar="ADDRESS", help="socket path or host:port of MPD")
    options.add_argument("--state", metavar="DIRECTORY", help="directory of the database")
    options.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")
    return options


def _load_config(arguments: argparse.Namespace) -> tuple[Config, paths.Paths]:
    config = _read_config(arguments)
    return config, paths.resolve(config, os.environ)


def _read_config(arguments: argparse.Namespace) -> Config:
    return load.load(_options(arguments), os.environ, getattr(arguments, "config", None))


def _options(arguments: argparse.Namespace) -> load.Flags:
    return {
        key: (f"--{name.replace('_', '-')}", getattr(arguments, name))
        for name, key in OPTION_KEYS.items()
        if hasattr(arguments, name)
    }


def _run(arguments: argparse.Namespace) -> None:
    config, where = _load_config(arguments)
    log_setup.start(config.log, os.environ)
    from anagnorisisd import daemon
    from anagnorisisd.runtime.config_reload import ConfigReloader

    reloader = ConfigReloader(config, partial(_read_config, arguments))
    screen = console.screen_for(sys.stdout, os.environ)
    try:
        event_loop.run(daemon.run(reloader, where, screen))
    finally:
        if screen:
            screen.close()


def _fetch_model(arguments: argparse.Namespace) -> None:
    from anagnorisisd.embedding import fetch_model
    from anagnorisisd.embedding.musicnn.weights import downloaded
    from anagnorisisd.embedding.published_models import MERT

    _, where = _load_config(arguments)
    if arguments.model == "musicnn":
        saved = downloaded(where.models)
        fetch_model.fetch_musicnn(saved, arguments.source)
    else:
        print(MERT.notice)
        progress = DownloadProgress(sys.stdout)
        saved = fetch_model.fetch(where.models, arguments.source, progress)
    if arguments.model == "musicnn" or is_installed("mert"):
        print(f"Saved in {saved}; a running daemon switches to it by itself.")
    else:
        print(f"Saved in {saved}; `{install_command('mert')}` installs what computes with it.")


def _check_config(arguments: argparse.Namespace) -> None:
    _, where = _load_config(arguments)
    files = load.config_files(getattr(arguments, "config", None))
    print("The configuration is valid.")
    for name, value in (
        ("read from", ", ".join(map(str, files)) or "no file; all defaults"),
        ("music", where.music if where.music.is_dir() else f"{where.music} (not found)"),
        ("state", where.state),
        ("socket", where.socket),
        ("models", where.models),
        ("cache", where.cache),
    ):
        print(f"  {name:<10} {value}")


def _doctor(arguments: argparse.Namespace) -> int:
    findings = _findings(arguments)
    print(finding.as_json(findings) if arguments.json else finding.as_text(findings))
    return EXIT_FAILURE if finding.has_problem(findings) else 0


def _findings(arguments: argparse.Namespace) -> list[finding.Finding]:
    from anagnorisisd.doctor import checks, runner, running_daemon

    try:
        config, where = _load_config(arguments)
    except ConfigError as error:
        return [checks.check_config(error.problems, ())]
    running = running_daemon.query_first(running_daemon.sockets(config, where))
    flags = _options(arguments).keys()
    connection = running_daemon.connection_of(running, flags)
    if running is not None:
        config, where = running_daemon.adopt_settings(running, config, where, os.environ, flags)
    files = tuple(load.config_files(getattr(arguments, "config", None)))
    others = asyncio.run(runner.run_checks(config, where, os.environ, time.time(), connection))
    return [checks.check_config((), files, running), *others]


def _backup(arguments: argparse.Namespace) -> None:
    _, where = _load_config(arguments)
    from anagnorisisd.storage import backups
    from anagnorisisd.storage.stores import FILE_NAME

    backups.back_up(where.state / FILE_NAME, arguments.file)
    if not atomic_write.is_standard_output(str(arguments.file)):
        print(f"The database is backed up to {arguments.file}.")


def _restore(arguments: argparse.Namespace) -> None:
    _, where = _load_config(arguments)
    from anagnorisisd.storage import backups
    from anagnorisisd.storage.stores import FILE_NAME

    database = where.state / FILE_NAME
    with state_directory.lock(where.state):
        replaced = backups.restore(arguments.file, database)
    print(f"Restored {database} from {arguments.file}.")
    if replaced:
        print(f"The previous database is kept in {replaced}; delete it when you no longer need it.")


def _install(arguments: argparse.Namespace) -> None:
    from anagnorisisd.install import installer

    target = installer.system_prefix() if arguments.system else installer.user_prefix()
    for line in (*installer.install(target), *installer.after_installing(target, os.environ)):
        print(line)


def _uninstall(arguments: argparse.Namespace) -> None:
    from anagnorisisd.install import installer

    target = installer.system_prefix() if arguments.system else installer.user_prefix()
    for line in (*installer.uninstall(target), *installer.after_removing(target)):
        print(line)
