"""The command line, one file for each group of commands.

A command imports Spark, MLflow and what needs them inside its body, after it has checked its arguments. So `--help` and
a wrong argument are answered at once.
"""
