"""Declaring and computing features. Definitions import what they need from here: ``from features import Entity``."""

from features.definitions import Aggregation, Entity, FeatureService, FeatureView

__all__ = ["Aggregation", "Entity", "FeatureService", "FeatureView"]
