"""Models: estimators, the recipe by which they are made, and how good they are. Nothing here uses MLflow."""
