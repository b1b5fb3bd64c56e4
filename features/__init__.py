"""What a feature is. Definitions say ``from features import Entity, FeatureView, Aggregation, FeatureService``."""

from features.definitions import Aggregation, Entity, FeatureService, FeatureView

__all__ = ["Aggregation", "Entity", "FeatureService", "FeatureView"]
