"""Commands `completion` and `manual`."""

from argparse import Namespace


def completion(arguments: Namespace) -> None:
    from anagnorisis.completion import script

    print(script(arguments.shell), end="")


def manual(arguments: Namespace) -> None:
    from anagnorisis.manual import page

    print(page(), end="")
