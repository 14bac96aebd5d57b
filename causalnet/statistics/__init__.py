"""Intervals, confidence sequences and verdicts."""
