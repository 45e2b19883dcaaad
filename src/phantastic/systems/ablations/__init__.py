"""What of BERT matters: masking, size, direction, next sentences; one thing changed at a time."""
