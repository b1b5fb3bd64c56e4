"""Training sets and questions made in this process by Polars, for what fits into memory."""
