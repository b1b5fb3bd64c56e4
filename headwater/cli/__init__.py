"""The command line, one file for each group of commands.

Nothing heavy is imported before the words that were typed are understood: each command imports what it needs itself.
"""
