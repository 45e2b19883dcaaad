"""The Transformer: strings reversed and sentences translated by attention alone."""
