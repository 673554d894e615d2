"""A dataset as a page that a person would rather look at than read."""
