"""Features of the flights: how late each airline, airport and aircraft has been, and the weather at departure.

A day's outcomes are delivered at 11:00 UTC on the next day, so with hop 1d the values are available after 12h. Times
of arrival are UTC instants, so a window of 7 days has 168 hours even when the clocks change in between.
"""

from features import Aggregation, Entity, FeatureService, FeatureView

WINDOWS = ("1d", "7d", "28d")
ARRIVAL_DELAYS = tuple(Aggregation("arr_delay_min", function, WINDOWS) for function in ("count", "mean", "max"))

carrier = Entity("carrier", join_keys=["carrier"])
origin = Entity("origin", join_keys=["origin"])
destination = Entity("destination", join_keys=["dest"])
aircraft = Entity("aircraft", join_keys=["tailnum"])


def arrival_delays(name: str, entity: Entity, description: str) -> FeatureView:
    """Declare features of the arrival delays, in minutes, of an entity's flights."""
    return FeatureView(
        name,
        entity,
        source="flights",
        event_at="arrived_at",
        where="arr_delay_min IS NOT NULL",
        aggregations=ARRIVAL_DELAYS,
        hop="1d",
        available_after="12h",
        description=description,
    )


carrier_delays = arrival_delays("carrier_delays", carrier, "Arrival delays of an airline's flights.")
origin_delays = arrival_delays("origin_delays", origin, "Arrival delays of the flights from an airport.")
destination_delays = arrival_delays("destination_delays", destination, "Arrival delays of the flights to an airport.")
aircraft_delays = arrival_delays("aircraft_delays", aircraft, "Arrival delays of one aircraft.")

origin_weather = FeatureView(
    "origin_weather",
    origin,
    source="weather",
    fields=[
        "temp_f",
        "dewp_f",
        "humid_pct",
        "wind_dir_deg",
        "wind_speed_mph",
        "wind_gust_mph",
        "precip_in",
        "pressure_mb",
        "visib_miles",
    ],
    hop="1h",
    available_after="0",
    description="The newest weather known at the airport of departure.",
)

late_arrival_features = FeatureService(
    "late_arrival_features",
    features=[carrier_delays, origin_delays, destination_delays, aircraft_delays, origin_weather],
    description="What is known of a flight's airline, airports and aircraft two hours before it leaves.",
)
