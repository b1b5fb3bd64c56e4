"""The Python API for notebooks and services. It does what the command line does, by the same code.

Nothing here writes to the lake. Spark starts only for a training set that this process cannot make.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.errors import NotFound, UsageError
from conf.instants import as_utc, format_instant, instant_to_micros, parse_instant
from features.definitions import FeatureView
from headwater.options import Options
from pipelines.project import project as declarations

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from headwater.entity_rows import EntityRows

Moment = datetime | str


@dataclass(frozen=True)
class Rows:
    """An answer: rows with named columns, held as an Arrow table."""

    arrow: "pa.Table"

    def to_pandas(self) -> "pd.DataFrame":
        frame: pd.DataFrame = self.arrow.to_pandas()
        return frame

    def to_polars(self) -> "pl.DataFrame":
        import polars as pl

        return pl.DataFrame(pl.from_arrow(self.arrow))

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return each row as a dict of Python values; timestamps are in UTC."""
        return self.to_polars().to_dicts()

    @property
    def columns(self) -> list[str]:
        return list(self.arrow.column_names)

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __repr__(self) -> str:
        return repr(self.to_polars())

    def _repr_html_(self) -> str:
        return self.to_polars()._repr_html_()


@dataclass(frozen=True)
class TrainingSet(Rows):
    """A training set: its rows, and what it is made of, as ``headwater training-set --json`` says it."""

    description: Mapping[str, Any]


def open(path: str | Path | None = None, env: str | None = None) -> "Project":  # noqa: A001 (as in headwater.open)
    """Open a project, by default the one in the nearest folder that has ``conf/base.yml``.

    Parameters
    ----------
    env : the environment ``conf/ENV.yml``; by default HEADWATER_ENV, else ``local``

    Raises
    ------
    UsageError : when there is no project
    ConfigError : when a declaration is wrong
    """
    options = Options(None if path is None else str(path), env)
    return Project(options, options.load())


class Project:
    """A project in one environment, for reading. Make it with ``headwater.open``."""

    def __init__(self, options: Options, declared: declarations.Project) -> None:
        from pipelines.delta.lake import LakeTables

        self._options = options
        self._lake = LakeTables(declared.settings)
        self.declared = declared

    def __repr__(self) -> str:
        settings = self.declared.settings
        return f"headwater.Project({str(settings.project)!r}, env={settings.env!r})"

    def query(self, sql: str, at: int | Moment | None = None) -> Rows:
        """Answer one SELECT over tables named ``layer.name``.

        Parameters
        ----------
        at : read one table as of a version, or all as of an instant

        Raises
        ------
        UsageError : when the text is not one query
        NotFound : when a table does not exist, or did not at that version or instant
        """
        import pyarrow as pa

        from pipelines.reading.query import answer_query

        answer = answer_query(self._lake, sql, at if at is None or isinstance(at, int) else _instant(at))
        return Rows(pa.Table.from_batches(list(answer.batches), answer.schema))

    def table(self, name: str, version: int | None = None) -> Rows:
        """Read a whole table, such as ``silver.orders``, as of a version when one is given."""
        return self.query(f"SELECT * FROM {name}", version)  # noqa: S608 (answer_query refuses what is no query)

    def historical_features(
        self, features: str | Sequence[str], entities: "EntityRows", as_of: Moment | None = None
    ) -> Rows:
        """Give each row the feature values that could be used at its ``prediction_at``.

        Parameters
        ----------
        features : a feature service, or one or more feature views
        entities : the join keys of the views and ``prediction_at`` (UTC where it has no zone); other columns stay
        as_of : values that became available later are not used; by default the instant through which all views are
            complete

        Returns
        -------
        the rows, each once and in their order, with ``<view>__<feature>`` added for every feature

        Raises
        ------
        UsageError : when a key or prediction_at is missing or of a wrong type, or ``as_of`` is later than the views
            are complete
        """
        from headwater.entity_rows import read_entities
        from pipelines.reading.point_in_time import join_stored

        views = self._views(features)
        until = self._as_of(views, as_of)
        spine = read_entities(entities, views, self._lake)
        joined = join_stored(self._lake, spine, [(view, None) for view in views], instant_to_micros(until))
        return Rows(joined.to_arrow())

    def features(self, features: str | Sequence[str], entities: "EntityRows", at: Moment | None = None) -> Rows:
        """Give each entity its feature values as they could be used at one instant, by default the newest.

        Parameters
        ----------
        features, entities : as in ``historical_features``, without ``prediction_at``
        """
        import polars as pl

        from headwater.entity_rows import as_frame

        until = self._as_of(self._views(features), at)
        asked = as_frame(entities).with_columns(pl.lit(until, pl.Datetime("us", "UTC")).alias("prediction_at"))
        found = self.historical_features(features, asked, until).to_polars()
        return Rows(found.drop("prediction_at").to_arrow())

    def training_set(self, model: str, as_of: Moment | None = None) -> TrainingSet:
        """Make a model's training set as of an instant, by default the data clock of its labels.

        Raises
        ------
        NotFound : when the features are not complete as of that instant
        """
        from headwater.lake_job import open_at_first_need
        from pipelines.runtime.run_facts import RunFacts
        from training.dataset.description import describe_training_set, public_names
        from training.dataset.engine import make_training_rows
        from training.dataset.spec import pin_training_set, place_bounds
        from training.model_job import ModelJob

        self.declared.model(model)
        run = RunFacts.begin("training-set")
        with open_at_first_need(self._options, self.declared, run) as open_spark:
            job = ModelJob(self.declared, self._lake, model, run, open_spark)
            bounds = place_bounds(job, None if as_of is None else _instant(as_of))
            if not job.has_features(bounds.as_of):
                message = f"the features of {model} are not complete through {format_instant(bounds.as_of)}"
                raise NotFound(message, "run `headwater materialize`")
            spec = pin_training_set(job, bounds)
            rows = make_training_rows(job, spec)
        names = public_names(job.declaration.label.name)
        table = rows.table.drop_columns(["_row_hash"])
        renamed = table.rename_columns([names.get(name, name) for name in table.column_names])
        document = describe_training_set(job, spec, rows.inputs, rows.fates, rows.content_hash)
        return TrainingSet(renamed, document)

    def plan(self) -> dict[str, Any]:
        """Say what ``load`` and ``materialize`` would do now, as ``headwater plan --json`` does."""
        from headwater.plans import plan_all
        from headwater.reports import plan_json

        return plan_json(*plan_all(self.declared))

    def _views(self, names: str | Sequence[str]) -> list[FeatureView]:
        """Return the views of a service, or the views of these names."""
        if isinstance(names, str) and names in self.declared.services:
            return list(self.declared.service(names).features)
        return [self.declared.view(name) for name in ([names] if isinstance(names, str) else names)]

    def _as_of(self, views: Sequence[FeatureView], asked: Moment | None) -> datetime:
        """Return ``asked``, or else the instant through which all these views are complete."""
        complete = {view.name: self._complete_through(view) for view in views}
        first = min(complete, key=lambda name: complete[name])
        if asked is None:
            return complete[first]
        moment = _instant(asked)
        if moment > complete[first]:
            message = f"{first} is complete through {format_instant(complete[first])}, not {format_instant(moment)}"
            raise UsageError(message, f"run `headwater materialize {first} --through {format_instant(moment)}`")
        return moment

    def _complete_through(self, view: FeatureView) -> datetime:
        through = self._lake.last_commit("gold", view.name).metadata.get("through")
        if through is None:
            raise NotFound(f"the feature view {view.name} has no table yet", "run `headwater materialize`")
        return parse_instant(through)


def _instant(moment: Moment) -> datetime:
    return parse_instant(moment) if isinstance(moment, str) else as_utc(moment)
