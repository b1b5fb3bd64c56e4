"""Silver: typed rows, one for each key, and the quarantine of rows that broke a rule."""
