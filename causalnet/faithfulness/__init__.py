"""How well a circuit stands for the whole model."""
