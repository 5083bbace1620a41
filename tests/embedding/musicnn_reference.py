"""Synthetic signals, and the tag logits that the original TensorFlow graph gives for them."""

import numpy as np

from anagnorisisd.embedding.embedder import Samples

RATE, SAMPLES = 16_000, 48_128

FIGURES = """
-5.72916 -4.99277 -4.62954 -3.79592 0.55743 -4.00077 -3.78822 -4.72426 -7.34189 -5.06215
-3.75416 -7.43737 -1.37645 -7.43711 -8.95811 -7.51512 -6.21865 -4.52593 -1.31309 -6.59545
-6.24349 -6.42439 -3.35637 -2.95502 -8.96777 -9.84627 -9.74519 -10.18837 0.21402 -6.58417
-2.44802 -6.56932 -6.52739 -8.07310 -8.81693 -6.33102 -10.95737 -5.87940 -6.28212 -7.36085
-7.77855 -2.39806 -9.84557 -6.44669 -10.07649 -9.06667 -5.86895 -6.21638 -3.77816 -7.94783

-3.19869 -3.19459 -2.95562 -1.85811 -0.08315 -3.38453 -2.37094 -4.03897 -4.82740 -4.77396
-4.61012 -6.60361 -3.74990 -5.56923 -5.92292 -4.79549 -3.27522 -5.01555 -1.94371 -3.30959
-5.69106 -4.42284 -4.76700 -3.77801 -5.02212 -6.27898 -5.68023 -6.83423 -3.51921 -5.77963
-2.57990 -5.71283 -6.52151 -3.76627 -6.03186 -4.63368 -8.64729 -6.57412 -5.11514 -5.53683
-4.48446 -1.28506 -7.36925 -5.90236 -6.26750 -5.89660 -3.89801 -6.06641 -3.05358 -6.10958

-7.30476 -7.20581 -7.62297 -9.29732 -5.82668 -4.40446 -6.54748 -8.29511 -10.05272 -1.75249
-6.11472 -8.77265 -7.02062 -5.22242 -8.63999 -6.55020 -10.68620 -7.48456 -7.07524 -10.12677
-5.84264 -8.87053 -7.36068 -3.80142 -11.82579 -1.67163 -2.69155 -11.16548 -6.37831 -9.25153
-5.88294 -5.76811 -7.67198 -8.48950 -9.23769 -7.95353 0.22047 -3.13941 -9.01568 -7.44955
-9.10641 -8.65616 -11.00479 -8.69936 -5.75689 -8.89849 -11.79709 -8.10179 -9.25966 -8.99343
"""
"""Printed by `tools/musicnn_reference.py`, which runs the original graph in TensorFlow 2.21."""

LOGITS = np.array(FIGURES.split(), np.float64).reshape(3, 50)
"""`[signals, tags]`"""


def signals() -> list[Samples]:
    """Return three signals of 3.008 s at 16 kHz: plucked chords, a noisy beat, and a sweep."""
    rng = np.random.RandomState(0)  # its streams never change
    seconds = np.arange(SAMPLES) / RATE
    beat = seconds % 0.5
    chords = np.zeros(SAMPLES)
    for hertz, late in ((220.0, 0.0), (277.18, 0.2), (329.63, 0.4), (440.0, 0.6)):
        chords += np.sin(2 * np.pi * hertz * seconds) * np.exp(-4 * ((seconds + late) % 0.75))
    drums = (2 * rng.random_sample(SAMPLES) - 1) * np.exp(-20 * beat)
    drums += np.sin(2 * np.pi * 60 * seconds) * np.exp(-8 * beat)
    sweep = np.sin(2 * np.pi * (100 * seconds + 600 * seconds**2))
    return [(0.2 * one).astype(np.float32) for one in (chords, drums, sweep)]
