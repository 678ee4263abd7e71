"""Seams of a record lie where the engine cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_vol2vol.errors import BundleError
from napari_vol2vol.evaluation.seams import seams_of
from napari_vol2vol.sampling.slabs import in_slabs
from napari_vol2vol.tasks import get_task
from napari_vol2vol.volume import Volume

MULTIPLE = 4  # of the tiny networks


def record(slab, depth, bundle="sr4-t1-fusion"):
    return {
        "memory_plan": {"slab": slab},
        "bundle": {"name": bundle},
        "inputs": [{"shape_zyx": [depth, 9, 9]}],
    }


@pytest.mark.parametrize("depth", [8, 9, 11, 3])
@pytest.mark.parametrize("slab", [8, 18])
def test_seams_are_where_the_slabs_of_a_measurement_meet(tiny_bundles, depth, slab):
    low = Volume.from_array(np.random.default_rng(0).random((depth, 9, 9)).astype(np.float32))
    measurement = get_task("super-resolution").prepare(low, (4, 4, 4), MULTIPLE)
    calls = iter(range(100))
    (joined,) = in_slabs(
        lambda v: [torch.full_like(v[0], float(next(calls)))],
        [torch.zeros(1, *measurement.shape)], [1], slab, MULTIPLE,
    )  # fmt: skip
    result = joined[0][measurement.crop][:, 0, 0].numpy()
    wanted = [(0, int(i) + 1) for i in np.flatnonzero(np.diff(result))]
    assert seams_of(record(slab, depth), 4 * depth) == wanted


def test_a_run_in_one_piece_and_a_volume_without_a_record_have_none():
    assert seams_of({}, 40) == []
    assert seams_of(record(None, 10), 40) == []


def test_a_bundle_that_is_gone_is_named():
    with pytest.raises(BundleError, match="bundle gone: is not installed"):
        seams_of(record(8, 10, "gone"), 40)
