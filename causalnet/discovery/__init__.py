"""Finding circuits: scores of nodes and edges, circuits made of them, and how good they are."""
