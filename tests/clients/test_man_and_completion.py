"""What is made from the parser or says what can be typed: completions, manual, README, keys."""

import os
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anagnorisis import completion, manual, parser, rate_key
from anagnorisis.rating_value import Value
from anagnorisis_web import __main__ as web
from tests.support.rpc import command

pytestmark = pytest.mark.slow

CLIENTS = Path(__file__).parents[2] / "clients"
README = (CLIENTS / "README.md").read_text()
COMMANDS = [command.name for command in completion.commands()]


def test_the_readme_has_every_command_and_no_other() -> None:
    documented = re.findall(r"^\| `anagnorisis (\w+)", README, re.MULTILINE)

    assert set(documented) == set(COMMANDS)


def test_every_command_of_the_readme_can_be_typed() -> None:
    for line in re.findall(r"^\| `anagnorisis ([^`|]+)`", README, re.MULTILINE):
        words = line.replace("SHELL", "bash").split()

        assert parser.build(words[0]).parse_args(words).run


def test_a_command_means_the_same_whether_or_not_the_others_are_built() -> None:
    arguments = {
        "rate": ["8"],
        "import": ["x"],
        "backup": ["x"],
        "completion": ["bash"],
        "journey": ["x", "y"],
        "skip": ["album"],
    }
    for name in COMMANDS:
        words = [name, *arguments.get(name, [])]

        assert parser.build(name).parse_args(words) == parser.build().parse_args(words)


@pytest.mark.parametrize("columns", [60, 120])
async def test_help_is_as_wide_as_the_terminal(columns: int) -> None:
    helped = await command("anagnorisis", "--help", COLUMNS=str(columns))

    assert columns - 20 < max(map(len, helped.out.splitlines())) <= columns


async def test_rating_arguments_parse_without_large_imports() -> None:
    script = (
        "import sys; from anagnorisis import parser;"
        "parser.build('rate').parse_args(['rate', '8']);"
        "print({'shutil', 'grpc', 'rich', 'google.protobuf'} & sys.modules.keys())"
    )

    assert (await command("python", "-c", script)).out == "set()\n"


async def completed(*words: str) -> set[str]:
    """Return what bash offers when the last of `words` is being typed."""
    script = (
        'source <(anagnorisis completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_anagnorisis; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = await command("bash", "-c", script, "bash", "anagnorisis", *words)
    assert done.err == ""
    return set(done.out.split())


async def test_bash_completes_commands_and_what_follows_them() -> None:
    assert set(COMMANDS) <= await completed("")
    assert await completed("ra") == {"rate", "ratings"}
    assert {"on", "off", "--seed"} <= await completed("picks", "")
    assert await completed("tracks", "--or") == {"--order"}
    assert {"like", "off", "--for"} <= await completed("mood", "")


COMPLETING = {
    "bash": "bash --norc -i",
    "zsh": "zsh -f -i",
}
MADE_KNOWN = {
    "bash": "source <(anagnorisis completion bash)",
    "zsh": "autoload -U compinit; compinit -u -D; source <(anagnorisis completion zsh)",
}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_tab_key_completes_in_the_shell_itself(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    keyboard, terminal = os.openpty()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        ["setsid", "--ctty", *COMPLETING[shell].split()],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "PATH": path, "TERM": "dumb"},
    )
    os.close(terminal)
    try:
        # In two parts, so that what is waited for is what it prints, not what was typed.
        os.write(keyboard, f"{MADE_KNOWN[shell]}; PS1='go''ing> '\n".encode())
        read_until(keyboard, "going> ")
        os.write(keyboard, b"anagnorisis similar --so\t")
        read_until(keyboard, "cket")
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)


def read_until(terminal: int, text: str) -> None:
    """Read what is shown up to a text; fail when it is not there within half a minute."""
    shown = ""
    while text not in shown:
        assert select.select([terminal], [], [], 30)[0], shown
        shown += os.read(terminal, 4096).decode(errors="replace")


@pytest.mark.parametrize(
    ("shell", "script"),
    [
        ("bash", 'COMP_WORDS=(anagnorisis mood -j); COMP_CWORD=2; _anagnorisis; echo "$COMPREPLY"'),
        ("fish", 'complete -C "anagnorisis mood -j"; complete -C "anagnorisis mood j"'),
    ],
)
def test_tags_of_the_library_are_completed_also_as_unwanted_ones(
    shell: str, script: str, tmp_path: Path
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program = tmp_path / "anagnorisis"
    program.write_text("#!/bin/sh\necho folk\necho jazz\n")
    program.chmod(0o755)

    done = subprocess.run(
        [shell, "-c", f"{completion.script(shell)}\n{script}"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "-jazz" in done.stdout.split()
    assert "folk" not in done.stdout


def test_fish_completes() -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    offered = {
        line: subprocess.run(
            ["fish", "--no-config", "-c", f'source; complete -C "{line}"'],
            input=completion.script("fish"),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in ("anagnorisis ra", "anagnorisis picks o")
    }

    assert {line.split()[0] for line in offered["anagnorisis ra"].splitlines()} == {
        "rate",
        "ratings",
    }
    assert offered["anagnorisis picks o"].split() == ["off", "on"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_itself_takes_the_script(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(completion.script(shell))

    done = subprocess.run(
        [shell, "-n", str(tmp_path / "script")], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


async def test_the_manual_page_is_printed() -> None:
    assert (await command("anagnorisis", "manual")).out == manual.page()


def test_the_manual_page_has_every_command() -> None:
    lines = manual.page().splitlines()

    assert [line.split()[1] for line in lines if line.startswith(".SS ")] == COMMANDS


def test_the_manual_page_of_the_web_page_has_every_option() -> None:
    page = manual.program_page(web.parser()).replace("\\-", "-")

    assert set(re.findall(r"^\.B (--\S+)", page, re.MULTILINE)) == {
        name
        for action in web.parser()._actions
        for name in action.option_strings
        if name.startswith("--") and name != "--help"
    }


@pytest.mark.parametrize("page", [manual.page(), manual.program_page(web.parser())])
def test_the_manual_pages_are_sound(page: str) -> None:
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-z"],
        input=page,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def actions(text: str) -> set[str]:
    """Return the actions in a file of key bindings."""
    text = re.sub(r"^(set|#).*", "", text, flags=re.MULTILINE)
    spread = re.sub(r"\{([^}\n]*)\}", lambda group: group[1].replace(",", " "), text)
    words = re.findall(r"(?:anagnorisis-rate|\$rate) ([^\n;\"$]+)", spread)
    pairs = re.findall(r"=(\S+)", (re.findall(r"KEYS='([^']*)'", text) or [""])[0])
    return {word for line in words for word in line.split()} | set(pairs)


@pytest.mark.parametrize("name", ["sxhkd", "i3", "sway", "hyprland.conf", "gnome.sh", "kde.sh"])
def test_the_keys_call_what_there_is(name: str) -> None:
    found = actions((CLIENTS / "keys" / name).read_text())

    assert {
        "up",
        "down",
        "undo",
        "clear",
        "skip-and-lower",
        "more-like-this",
        "mood-off",
        "skip-album",
        "--menu",
    } <= found
    for action in found - {"--menu", "1-9"}:
        assert rate_key.parser().parse_args([action]).action == action
    numbers = {action for action in found if action.isdecimal()}
    assert numbers >= {"10"}
    assert all(0 <= Value.parse(number).number <= 10 for number in numbers)


@pytest.mark.parametrize("name", ["gnome.sh", "kde.sh"])
def test_the_key_scripts_are_sound(name: str) -> None:
    subprocess.run(["sh", "-n", str(CLIENTS / "keys" / name)], check=True)


async def test_gnomes_other_keys_stay(tmp_path: Path) -> None:
    fake = tmp_path / "gsettings"
    fake.write_text(
        f'#!/bin/sh\n[ "$1" = get ] && echo "[\'/own/key0/\']" || echo "$*" >> {tmp_path}/set\n'
    )
    fake.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"

    done = await command("sh", str(CLIENTS / "keys" / "gnome.sh"), PATH=path)
    lines = (tmp_path / "set").read_text().splitlines()
    await command("sh", str(CLIENTS / "keys" / "gnome.sh"), "--remove", PATH=path)
    removed = (tmp_path / "set").read_text().splitlines()[-1]

    assert (done.code, done.err) == (0, "")
    assert lines[-1].count("anagnorisis-") == 19
    assert "'/own/key0/'," in lines[-1]
    assert any(line.endswith("command anagnorisis-rate 10") for line in lines)
    assert removed.endswith("custom-keybindings ['/own/key0/']")


async def test_kde_gets_an_entry_for_each_key_and_loses_it_again(tmp_path: Path) -> None:
    script = str(CLIENTS / "keys" / "kde.sh")

    await command("sh", script, XDG_DATA_HOME=str(tmp_path))
    entries = written(tmp_path)
    await command("sh", script, "--remove", XDG_DATA_HOME=str(tmp_path))

    assert len(entries) == 19
    assert "X-KDE-Shortcuts=Meta+Alt+0\n" in entries["anagnorisis-rate-10.desktop"]
    assert not written(tmp_path)


def written(folder: Path) -> dict[str, str]:
    """Return the application entries below a folder."""
    return {path.name: path.read_text() for path in folder.rglob("*.desktop")}
