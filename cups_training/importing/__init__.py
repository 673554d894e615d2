"""Datasets of others, and plain folders of pictures, as drives of a dataset."""
