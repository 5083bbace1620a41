"""Which of MusiCNN's words say something: how stable they are, how varied, and who else agrees.

For each word, over the songs of `ANAGNORISIS_BENCH_MUSIC`: the correlation of its logits in two
halves of each song, their standard deviation, and the words of another network that agree most
(Spearman). The vocabulary in `anagnorisisd/embedding/sound_tags.py` was chosen from this table.
"""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.decode import read_windows
from anagnorisisd.embedding.features import plan as features
from anagnorisisd.embedding.features.spectral import RATE
from anagnorisisd.embedding.musicnn import plan, weights
from anagnorisisd.embedding.musicnn.network import Network
from anagnorisisd.embedding.sound_tags import VOCABULARY, WORDS
from bench.interleaved_runs import processes
from bench.music_files import own_songs
from bench.song_embeddings import PROCESSES, other_tags

MTT_WORDS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast",
    "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male",
    "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman",
    "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice",
    "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip
SHOWN = 3


def run(full: bool) -> None:
    """Print the table; there is no larger form."""
    found = own_songs()
    if not found:
        print("# Sound tags: set ANAGNORISIS_BENCH_MUSIC to a directory of music\n")
        return
    with tempfile.TemporaryDirectory() as scratch, processes(PROCESSES) as pool:
        halves = np.stack(list(pool.map(halves_of, found)))
        theirs = other_tags(found, Path(scratch))
    print(f"# Sound tags: {len(found)} songs\n")
    print("| word | tag | halves of a song agree | deviation | most alike in another network |")
    print("|---|---|---|---|---|")
    tag_of = {word: tag for tag, words in VOCABULARY.items() for word in words}
    both = halves.mean(axis=1)
    for column, word in enumerate(WORDS):
        agree = np.corrcoef(halves[:, 0, column], halves[:, 1, column])[0, 1]
        print(
            f"| {word} | {tag_of.get(word, '')} | {agree:.2f} | {both[:, column].std():.2f} "
            f"| {_most_alike(both[:, column], theirs)} |"
        )
    print()


def halves_of(path: Path) -> Vectors:
    """Return the logits of every other window, and of those between them, `[2, 50]`."""
    windows = read_windows(
        str(path), rate=RATE, seconds=features.WINDOW_SECONDS, count=features.WINDOWS
    )
    halves = (windows[::2], windows[1::2] if len(windows) > 1 else windows)
    return np.stack([plan.describe(half, _network())[1] for half in halves])


@cache
def _network() -> Network:
    return Network(weights.load(weights.PACKAGED))


def _most_alike(ours: Vectors, theirs: Vectors | None) -> str:
    if theirs is None:
        return ""
    agreement = [spearmanr(ours, column).statistic for column in theirs.T]
    best = np.argsort(agreement)[::-1][:SHOWN]
    return ", ".join(f"{MTT_WORDS[column]} {agreement[column]:.2f}" for column in best)
