"""phantastic: models of mind you can train, question and lesion."""

__version__ = "0.1.0"
