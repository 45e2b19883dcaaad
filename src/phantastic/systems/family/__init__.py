"""The family of language networks: what each member is asked while it reads the same texts."""
