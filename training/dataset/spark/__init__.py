"""Training sets and questions made by Spark, for what does not fit into memory."""
