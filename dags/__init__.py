"""What is declared: settings, data contracts and model declarations, read once into frozen typed objects."""
