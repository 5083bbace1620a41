"""`completion` and `manual`: for shells and for `man`."""

from argparse import Namespace


def completion(arguments: Namespace) -> None:
    """Print the completion script for a shell."""
    from anagnorisis.completion import script

    print(script(arguments.shell), end="")


def manual(arguments: Namespace) -> None:
    """Print the manual page."""
    from anagnorisis.manual import page

    print(page(), end="")
