"""Claim files: reading, checking and judging them."""
