"""What a language model is trained to do: one objective per file, each from a model and a batch to named losses."""
