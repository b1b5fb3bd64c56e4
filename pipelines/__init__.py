"""Jobs that move data through bronze, silver and gold. Only this package starts Spark sessions and uses Delta."""
