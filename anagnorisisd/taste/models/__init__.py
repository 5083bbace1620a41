"""The evaluator: predicts ratings from ratings.

Runs in worker processes; the daemon calls `worker_tasks`. Each training selects among four models
(`model_selection`): the mean rating, the nearest neighbours, a Gaussian process over sound
and metadata, and a three-layer perceptron. Numbers and arrays only: numpy and scipy, no torch.
"""
