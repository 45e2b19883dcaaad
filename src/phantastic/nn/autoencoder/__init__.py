"""Autoencoders, variational and denoising, and what they minimise."""
