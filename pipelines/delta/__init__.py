"""Delta tables: the only package that creates them, commits to them, or reads their logs."""
