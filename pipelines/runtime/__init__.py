"""What every job runs in: Spark's session, its executors, and the facts about who runs. Knows nothing about tables."""
