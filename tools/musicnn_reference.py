"""Prints the tag logits of the original TensorFlow graph, with which the tests compare.

    python tools/musicnn_reference.py signals.npy      # in the project's environment
    python tools/musicnn_reference.py signals.npy DIRECTORY   # in one with TensorFlow 2.21

The first call writes log-mel spectrograms of the test signals, made by librosa. The second runs the
graph in DIRECTORY, `musicnn/MSD_musicnn` of the unpacked wheel, on them.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any


def write_spectrograms(path: Path) -> None:
    """Write `[signals, 187, 96]`, as the original's `librosa.feature.melspectrogram` makes them."""
    import librosa
    import numpy as np

    from tests.embedding.musicnn_reference import RATE, signals

    mels = [
        librosa.feature.melspectrogram(
            y=one, sr=RATE, hop_length=256, n_fft=512, n_mels=96, center=False
        ).T
        for one in signals()
    ]
    np.save(path, np.log10(10_000 * np.stack(mels) + 1).astype(np.float32))


def print_logits(path: Path, directory: str) -> None:
    """Print the logits of the spectrograms, `[signals, 50]`, in evaluation mode."""
    import numpy as np

    tf: Any = __import__("tensorflow")
    v1 = tf.compat.v1
    v1.disable_eager_execution()
    checkpoint = tempfile.mkdtemp() + "/model"
    for part in (".meta", ".index", ".data-00000-of-00001"):  # the files have no other name
        shutil.copy(Path(directory) / part, f"{checkpoint}{part}")
    meta = v1.MetaGraphDef()
    meta.ParseFromString(Path(f"{checkpoint}.meta").read_bytes())
    for node in meta.graph_def.node:
        node.attr.pop("_output_shapes", None)  # of TensorFlow 1; later versions refuse them
    output = "model/dense_1/BiasAdd"
    with v1.Graph().as_default() as graph:
        v1.import_graph_def(v1.graph_util.extract_sub_graph(meta.graph_def, [output]), name="")
        weights = tf.train.load_checkpoint(checkpoint)
        operations = graph.get_operations()
        feed = {
            one.outputs[0]: weights.get_tensor(one.name)
            for one in operations
            if one.type in {"Variable", "VariableV2"}
        }
        for one in operations:
            if one.type == "Placeholder":  # the spectrograms, and whether it is training
                training = one.outputs[0].dtype == tf.bool
                feed[one.outputs[0]] = False if training else np.load(path)
        with v1.Session() as session:
            for row in session.run(f"{output}:0", feed):
                print(" ".join(f"{value:.5f}" for value in row))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        write_spectrograms(Path(sys.argv[1]))
    else:
        print_logits(Path(sys.argv[1]), sys.argv[2])
