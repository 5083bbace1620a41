"""MERT-v1-95M: a transformer trained on music, from weights that the listener fetches.

`recipe` says in the parent how its vectors are made; `folder` looks at what was fetched;
`model` loads it; `engines` run it; `stages` is what the workers do. Nothing from the folder is
ever executed: the architecture is transformers' own `HubertModel`, the weights are tensors.
"""
