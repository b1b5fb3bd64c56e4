"""Scores: what the champion answers to the questions whose moment has come."""
