"""Prompt pairs: generators, templates, readers."""
