"""A head on a transformer, trained without labels; PyTorch is imported here alone."""
