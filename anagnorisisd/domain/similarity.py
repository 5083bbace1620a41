"""How alike tracks sound: the cosine between their standardised embeddings."""

import numpy as np

from anagnorisisd.domain.evaluation import Floats64, Moments, Vectors


def similarities(vector: Vectors, others: Vectors, moments: Moments) -> Floats64:
    """Return the cosine, -1 to 1, of `vector`, `[d]`, with each of `others`, `[n, d]`.

    Each dimension is standardised over the library first: embeddings share a large common part,
    which would make everything look alike. Dimensions that never vary say nothing and are left out.
    """
    varies = moments.stddev > 0
    scale = moments.stddev[varies].astype(np.float64)
    mean = moments.mean[varies]
    centred = (others[:, varies] - mean) / scale
    own = (vector[varies] - mean) / scale
    lengths = np.linalg.norm(centred, axis=1) * np.linalg.norm(own)
    cosine: Floats64 = np.zeros(len(others))
    np.divide(centred @ own, lengths, out=cosine, where=lengths > 0)
    return cosine.clip(-1.0, 1.0)
