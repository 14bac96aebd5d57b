"""Estimators: numbers that stand in for exact effects, each with what is known of its error."""
