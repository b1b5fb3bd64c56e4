"""Models as such: estimators, what they are made from, how good they are. Knows nothing of MLflow."""
