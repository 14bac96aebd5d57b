"""Masked forward passes: what a network does where some of its edges carry other values."""
