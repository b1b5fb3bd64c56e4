"""Training sets: the rows a model is asked about, their labels, the features of their time, and the split by time."""
