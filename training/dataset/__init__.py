"""Training sets: the rows that a model is asked about, their labels and features, and the split by time."""
