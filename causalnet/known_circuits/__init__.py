"""Networks whose circuits are known: built by hand, half trained, planted, or small and trained."""
