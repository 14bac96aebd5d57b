"""Loading models, with their provenance."""
