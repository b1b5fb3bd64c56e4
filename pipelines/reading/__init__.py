"""Functions that only read the lake: queries, feature values, the history of a table, the files it was made from."""
