"""The layers of a lake, in the order in which a row passes through them; ``ops`` holds the engine's own tables."""

LAYERS = ("bronze", "silver", "quarantine", "gold", "ops")
