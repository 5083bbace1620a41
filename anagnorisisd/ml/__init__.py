"""The only importers of torch, transformers and librosa; run in worker processes only."""
