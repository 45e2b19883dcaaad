"""Pre-train, then fine-tune: one network, a small head for each task."""
