"""Exit codes, and the exception for a failed command."""

FAILURE = 1
USAGE = 2
UNAVAILABLE = 69


class Failed(Exception):
    """A command failed; the message is one line and names the remedy."""

    def __init__(self, message: str, exit_code: int = FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def one_line(text: str) -> str:
    """Replace unprintable characters, such as line breaks and terminal escapes, by `?`."""
    return "".join(character if character.isprintable() else "?" for character in text)
