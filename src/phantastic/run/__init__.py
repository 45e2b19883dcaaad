"""One run: its folder, its stages, its training. Without a terminal."""
