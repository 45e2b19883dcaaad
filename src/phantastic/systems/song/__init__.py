"""Birdsong: recognising, expecting and hallucinating a song (builds on filtering)."""
