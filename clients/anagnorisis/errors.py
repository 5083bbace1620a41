"""What a command that cannot be carried out comes to: one line and an exit code."""

FAILURE = 1
USAGE = 2
UNAVAILABLE = 69


class Failed(Exception):
    """A command could not be carried out; the text is one line, with the remedy."""

    def __init__(self, message: str, exit_code: int = FAILURE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def one_line(text: str) -> str:
    """Return text that stays on one line and does nothing to a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
