"""PyTorch networks and how their checkpoints are read; nothing else in the core imports torch."""
