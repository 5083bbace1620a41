"""MERT-v1-95M: a transformer trained on music, from weights that the listener downloads.

`plan` decides in the parent how its vectors are made; `model_files` inspects the model directory;
`model` loads the weights; `inference` is what the workers do: read windows and run the model.
Nothing from the directory is executed: the architecture is transformers' own `HubertModel`, the
weights are tensors.
"""
