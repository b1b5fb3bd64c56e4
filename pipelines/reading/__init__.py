"""Looking at the lake: queries, feature values, histories, and the way back from a table to its files."""
