"""Training sets, models, promotion and scores. The only owner of MLflow."""
