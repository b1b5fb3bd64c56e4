"""The commands about models and the tracking server."""
