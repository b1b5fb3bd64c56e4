"""Training sets, models, promotion and scores. No other package imports MLflow."""
