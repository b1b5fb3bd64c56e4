"""Gold: the feature tables, one for each feature view."""
