"""Real data sets, each from a file or folder that the user names."""
