"""What a command on one model begins with: the lake, opened for writing, and the model's job on it."""

from collections.abc import Iterator
from contextlib import contextmanager

from headwater.lake_job import LakeJob, open_for_writing
from headwater.options import Options
from pipelines.project.project import Project
from training.model_job import ModelJob


@contextmanager
def open_model_job(options: Options, project: Project, model: str, name: str) -> Iterator[tuple[LakeJob, ModelJob]]:
    """Hold the lake's lease while the body runs; the journal will name the model. ``name`` is the command."""
    with open_for_writing(options, project, name) as lake_job:
        lake_job.tables = [model]
        yield lake_job, ModelJob(project, lake_job.lake, model, lake_job.run)
