"""Embeddings: from an audio file to a vector, in worker processes."""
