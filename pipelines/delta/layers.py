"""The layers of a lake, in the order in which a row passes them, and the ops tables beside them."""

LAYERS = ("bronze", "silver", "quarantine", "gold", "ops")
