"""Lands the feeds of the second project, deterministically and without chance: readings, outages, slots.

Readings of two hours come together 20 minutes after; every fifth hour one is corrected a day later. The clock in the
files is Kathmandu's.
"""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2024, 2, 26, tzinfo=UTC)
HOUR = timedelta(hours=1)
LOCAL = timedelta(hours=5, minutes=45)
METERS = (("hill", 1), ("hill", 2), ("valley", 1))


def usage_kwh(site: str, meter: int, hour: int) -> float:
    """Return a daily wave of its own for each meter, in quarters of a kWh."""
    phase = (hour + 5 * meter) % 24
    return (8 + 2 * meter + abs(12 - phase) * (3 if site == "hill" else 2)) / 4


def land_readings(landing: Path, first_hour: int, last_hour: int) -> int:
    """Land the readings of hours [first, last); returns how many rows."""
    rows = 0
    for hour in range(first_hour, last_hour, 2):
        hours = range(hour, min(hour + 2, last_hour))
        lines = [_reading(site, meter, h, 0) for h in hours for site, meter in METERS]
        if hour >= 24 and hour % 5 == 0:
            lines.append(_reading("hill", 1, hour - 24, 1))
        delivered = START + max(hours) * HOUR + HOUR + timedelta(minutes=20)
        path = landing / "gateway" / "readings" / f"readings_{delivered:%Y%m%dT%H%M}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode(), mtime=0))
        rows += len(lines)
    return rows


def land_outages(landing: Path, first_day: int, last_day: int) -> int:
    """Land one outage a day for days [first, last), the same twice over on the third; returns how many rows."""
    rows = 0
    for day in range(first_day, last_day):
        began = START + timedelta(days=day, hours=3) + LOCAL
        lines = [f"hill;{began:%d.%m.%Y %H:%M};{10 + day}.5"] * (2 if day == 2 else 1)
        folder = landing / "field" / "outages" / f"{START + timedelta(days=day + 1):%Y-%m-%d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "notes.csv").write_text("\n".join(["site;began;lasted (min)", *lines, ""]), encoding="utf-8")
        rows += len(lines)
    return rows


def land_slots(landing: Path, first_day: int, last_day: int) -> int:
    """Land the slots of days [first, last), each published two days ahead; returns how many rows."""
    (landing / "desk").mkdir(parents=True, exist_ok=True)
    for day in range(first_day, last_day):
        slots = [START + timedelta(days=day) + hour * HOUR for hour in range(24)]
        rows = [
            {"site": site, "meter": meter, "slot_at": slot, "tariff": "night" if slot.hour < 6 else "day"}
            for slot in slots
            for site, meter in METERS
        ]
        published = START + timedelta(days=day - 2)
        pq.write_table(pa.Table.from_pylist(rows), landing / "desk" / f"slots-{published:%Y%m%d}.parquet")
    return 24 * len(METERS) * (last_day - first_day)


def _reading(site: str, meter: int, hour: int, revision: int) -> dict[str, object]:
    local = START + hour * HOUR + LOCAL
    energy = usage_kwh(site, meter, hour) + revision
    return {
        "site": site, "meterId": meter, "local_hour": f"{local:%Y-%m-%d %H:%M}", "energy-kwh": energy,
        "revision": revision,
    }  # fmt: skip
