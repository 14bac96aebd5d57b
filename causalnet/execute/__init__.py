"""Executors: terms in, tensors out."""
