"""What ``load`` and ``materialize`` would do, for the command line and for the Python API."""

from collections.abc import Sequence

from features.definitions import FeatureView
from pipelines.delta.lake import LakeTables
from pipelines.gold.plan import ViewPlan, plan_view
from pipelines.ledger.data_clock import data_clocks
from pipelines.load_plan import LoadPlan, plan_loads
from pipelines.project.project import Project


def plan_tables(project: Project, names: Sequence[str] | None = None) -> list[LoadPlan]:
    """Plan the load of these tables, by default of all."""
    contracts = [project.contract(name) for name in names or sorted(project.contracts)]
    return plan_loads(LakeTables(project.settings), contracts)


def plan_features(project: Project, names: Sequence[str] | None = None) -> tuple[list[ViewPlan], list[FeatureView]]:
    """Plan these views, by default all; return also those that wait for the first data of their source."""
    lake = LakeTables(project.settings)
    views = [project.view(name) for name in names or sorted(project.views)]
    clocks = data_clocks(lake, {view.source for view in views})
    plans = [
        plan_view(lake, view, project.contract(view.source), clocks[view.source])
        for view in views
        if view.source in clocks
    ]
    return plans, [view for view in views if view.source not in clocks]


def plan_all(project: Project) -> tuple[list[LoadPlan], list[ViewPlan], list[FeatureView]]:
    """Plan everything."""
    return plan_tables(project), *plan_features(project)
