"""Settings, table contracts and model declarations: YAML files read once into frozen, typed objects."""
