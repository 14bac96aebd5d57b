"""One file for a result: arrays, labels and provenance."""
