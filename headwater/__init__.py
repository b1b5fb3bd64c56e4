"""The front door: the command line, the servers on this machine, the demonstrations, the job of spark-submit."""
