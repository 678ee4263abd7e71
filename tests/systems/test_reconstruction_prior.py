"""How a reconstruction shows the image to its prior, and what it holds while it asks."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.engine import Translation, translate
from napari_vol2vol.engine.sampling_run import SamplingRun
from napari_vol2vol.sampling.gradients import whole
from napari_vol2vol.tasks import get_task
from prior_bundles import make_prior, use_only
from systems.reconstruction_problems import problem

CT, MRI = get_task("sparse-view-ct"), get_task("mri-reconstruction")


@pytest.fixture(scope="module", autouse=True)
def priors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("priors")
    with pytest.MonkeyPatch.context() as patch:
        use_only(folder, patch)
        make_prior(folder, 1)
        yield folder


def test_the_prior_sees_the_image_as_bright_as_asked_for_and_the_result_is_in_its_own_units(scan, kspace):
    for source, task in ((scan, CT), (kspace, MRI)):
        for rms in (1.0, 0.5):
            p, m = problem(source, "dds", task, rms=rms)
            assert float(p.start().square().mean().sqrt()) == pytest.approx(rms, rel=1e-4)
            assert torch.allclose(p.decode(p.start()), m.plain, atol=1e-5)
            assert torch.allclose(whole(p.y) * p.diffused.scale, m.observed.y, atol=1e-5)
            assert p.sigma * p.diffused.scale == pytest.approx(m.observed.sigma)
        assert problem(source, "dds", task)[0].diffused.scale == 0.3  # that of the bundle


def test_a_scan_of_nothing_has_no_brightness_to_be_changed(scan):
    nothing = replace(scan.measured, sinogram=np.zeros_like(scan.measured.sinogram))
    empty = replace(scan, data=np.full_like(scan.data, -1000), measured=nothing)
    assert problem(empty, "dds", rms=1.0)[0].diffused.scale == 0.3


def test_slices_are_turned_for_the_prior_of_mbir_unless_asked_otherwise(scan):
    assert problem(scan, "d3ip-mbir")[0].prior.turning
    assert not problem(scan, "d3ip-mbir", turning="no")[0].prior.turning
    assert not problem(scan, "dds")[0].prior.turning


@pytest.mark.parametrize("system", ["dds", "d3ip", "d3ip-mbir"])
def test_nobody_holds_the_volumes_of_a_step_while_the_next_is_made(system, scan, monkeypatch):
    looked, ticked, made, held = SamplingRun._look_at, SamplingRun.tick, [], []

    def look(self, step, schedule):
        made.extend([weakref.ref(step.x_t), weakref.ref(step.x0_hat)])
        looked(self, step, schedule)

    def tick(self):
        held.append(sum(volume() is not None for volume in made))
        ticked(self)

    monkeypatch.setattr(SamplingRun, "_look_at", look)
    monkeypatch.setattr(SamplingRun, "tick", tick)
    request = Translation("sparse-view-ct", system, steps=4, precision="float32", device="cpu")
    for _ in translate(request, scan):
        pass
    assert len(made) == 8
    assert max(held) == 0
