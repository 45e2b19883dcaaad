"""What the members of the VAE family minimise, one objective to a file, so that two of them differ where the files do.

An objective is a function of the model, a batch, a generator of noise and its own hyperparameters. It returns named
scalars: ``loss`` first (what an optimiser minimises), then what is worth watching; all are means over the batch, in
nats per image.
"""
