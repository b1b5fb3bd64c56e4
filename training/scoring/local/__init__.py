"""Questions and answers made in this process, for what fits into memory."""
