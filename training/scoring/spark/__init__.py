"""Questions and answers made by Spark, for what does not fit into memory."""
