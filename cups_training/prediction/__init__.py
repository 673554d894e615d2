"""Exported networks and files of weights run on images that lie in a folder."""
