"""Features of meters and sites, on the hour's grid."""

from features import Aggregation, Entity, FeatureService, FeatureView

meter = Entity("meter", join_keys=["site", "meter"])
site = Entity("site", join_keys=["site"])

meter_usage = FeatureView(
    "meter_usage",
    meter,
    source="readings",
    aggregations=[
        Aggregation("usage_kwh", "sum", ["3h", "24h"]),
        Aggregation("usage_kwh", "mean", ["24h"]),
        Aggregation("usage_kwh", "count", ["3h"]),
    ],
    hop="1h",
    available_after="90m",
)
meter_last = FeatureView("meter_last", meter, source="readings", fields=["usage_kwh"], hop="1h", ttl="12h")
site_outages = FeatureView(
    "site_outages",
    site,
    source="outages",
    where="lasted_min > 1",
    aggregations=[Aggregation("lasted_min", "sum", ["1d", "7d"]), Aggregation("lasted_min", "max", ["7d"])],
    hop="1h",
    available_after="1d",
)
usage_features = FeatureService("usage_features", [meter_usage, meter_last, site_outages])
