"""The front door: the command line, the job that spark-submit runs, the demonstration."""
