"""Delta tables: the only room that creates them, commits to them, or reads their logs."""
