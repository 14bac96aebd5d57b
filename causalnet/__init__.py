"""A compiler for causal queries over neural networks."""
