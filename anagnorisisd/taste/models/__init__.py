"""The evaluator: learns from ratings how a listener would rate everything else.

Runs in worker processes; `tasks` holds what the daemon calls. Four candidates compete at every
training (`competition`): the mean rating, the nearest neighbours, a Gaussian process over sound
and metadata, and a three-layer perceptron. Numbers and arrays only: numpy and scipy, no torch.
"""
