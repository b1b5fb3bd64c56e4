"""What ``load`` and ``materialize`` would do, for the command line and for the Python API."""

from collections.abc import Sequence

from features.definitions import FeatureView
from pipelines.delta.lake import LakeTables
from pipelines.gold.plan import ViewPlan, plan_views
from pipelines.ledger.data_clock import data_clock
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
    loaded = [view for view in views if data_clock(lake, view.source) is not None]
    return plan_views(project, lake, loaded, None), [view for view in views if view not in loaded]


def plan_all(project: Project) -> tuple[list[LoadPlan], list[ViewPlan], list[FeatureView]]:
    """Plan everything."""
    return plan_tables(project), *plan_features(project)
