"""What is said before anything runs: recipes, studies, claims, words. It imports no PyTorch."""
