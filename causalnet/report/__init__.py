"""Reports: one HTML file, one picture."""
