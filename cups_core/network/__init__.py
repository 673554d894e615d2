"""PyTorch networks and the safe reading of their checkpoints; nothing else in the core imports torch."""
