"""One measurement and one tiny prior, put together as a system does it."""

from __future__ import annotations

import torch

from napari_vol2vol.bundles.library import find_bundle
from napari_vol2vol.sampling.measurement import Measurement
from napari_vol2vol.systems.assembly import Context
from napari_vol2vol.systems.reconstruction import Problem, problem_of
from napari_vol2vol.systems.registry import get_system
from napari_vol2vol.tasks import get_task
from napari_vol2vol.volume import Volume


def problem(source: Volume, system: str, task=None, **options) -> tuple[Problem, Measurement]:
    """Return the problem of a system with these options, the others at their defaults; CT unless told."""
    task = task or get_task("sparse-view-ct")
    values = {o.name: o.default for o in get_system(system).options} | options
    measurement = task.prepare(source, (1, 1, 1), 1)
    card = find_bundle(None, task.name, system, (), 1)
    return problem_of(Context(measurement, card, torch.device("cpu"), options=values)), measurement
