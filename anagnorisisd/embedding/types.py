"""The arrays that embedders pass on."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono sound within -1 and 1, `[n]` or `[windows, n]`."""

Vector = NDArray[np.float32]
"""An embedding, `[dimension]`, finite."""
