"""`cups label`: drives of a dataset in, panoptic pseudo-labels, their quality and a report out."""
