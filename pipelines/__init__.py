"""Bronze, silver and gold: jobs that move data. The only owner of Spark sessions and of Delta."""
