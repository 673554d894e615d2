"""Faces and number plates: found by a detector or by label zones, made unreadable on export."""
