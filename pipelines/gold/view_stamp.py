"""What the commits to a view's table record: up to when it is complete, from which silver, under which definition."""

from conf.instants import format_instant, instant_to_micros
from pipelines.delta.commit import Stamp
from pipelines.delta.lake import LakeTables
from pipelines.gold.plan import ViewPlan
from pipelines.runtime.run_facts import RunFacts


def stamp_of(lake: LakeTables, plan: ViewPlan, run: RunFacts) -> Stamp:
    """Return the stamp of the commit that carries out a plan."""
    facts = {
        "through": format_instant(plan.through),
        "fingerprint": plan.fingerprint,
        "source": plan.view.source,
        "source_version": plan.source_version,
        "source_id": lake.table_id("silver", plan.view.source),
    }
    has_read_silver = plan.is_same_meaning and plan.cursor >= plan.source_version  # then only ``through`` moves
    through_us = instant_to_micros(plan.through) if has_read_silver else None
    return Stamp(plan.view.name, run, plan.generation, plan.source_version, facts, through_us)
