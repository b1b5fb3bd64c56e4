"""The same rules as ``features.spark``, computed in this process by Polars, for what fits into memory."""
