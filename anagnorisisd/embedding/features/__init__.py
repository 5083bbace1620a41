"""The embedder `features`: hand-made figures of the sound, without a network."""
