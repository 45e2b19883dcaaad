"""Scores that several systems report."""
