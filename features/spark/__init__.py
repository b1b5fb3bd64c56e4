"""Computing features on Spark: events, feature rows and the point-in-time join. Lazy: nothing here starts a job."""
