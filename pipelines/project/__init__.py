"""A project's declarations: read, checked against each other, and their expressions analysed."""
