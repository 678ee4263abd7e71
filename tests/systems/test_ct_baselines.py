"""Regression and conditional diffusion between the phases of CT, beside the flow they are baselines of."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.engine import Translation, translate
from napari_vol2vol.errors import BundleError
from napari_vol2vol.networks.time_monai import TimeMonai, TimeMonaiConfig
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.samplers import ddpm
from napari_vol2vol.sampling.schedules import timesteps, vp_cosine
from napari_vol2vol.systems.assembly import Context
from napari_vol2vol.systems.ct_regression import build as regression
from napari_vol2vol.systems.ddpm_ct import build as diffusion
from napari_vol2vol.systems.ddpm_ct import with_shared_noise
from napari_vol2vol.systems.mfm import build as flow
from napari_vol2vol.tasks import get_task
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.recipe import Diffusion, Recipe
from napari_vol2vol.volume import Volume
from tiny_bundles import PLANE, stirred

CPU = torch.device("cpu")
VELOCITY = TimeMonaiConfig("unet", (8, 16), (1, 1), stem=2)
FACTS = {"scale": 1.0, "steps": 0, "seconds": 0.0, "requires": {}}


def recipe(name, stage, systems, **changes):
    values = {
        "task": "contrast-removal", "systems": systems, "inputs": ("CT",), "target": "native",
        "factor": (1, 1, 1), "planes": ("axial", "coronal"),
        "diffusion": Diffusion("image", schedule="vp_linear"),
    }  # fmt: skip
    return Recipe(name, stage, **(values | changes))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ct")
    torch.manual_seed(0)
    network = TimeMonai(VELOCITY)
    torch.nn.init.normal_(network.head.weight, std=0.02)
    made = recipe("velocity", "ct-regression", ("ct-regression", "mfm"))
    export_bundle(made, network, VELOCITY, folder / "velocity", **FACTS)
    plane = replace(PLANE, in_channels=2)
    made = recipe("diffusion", "ct-diffusion", ("ddpm-ct",))
    export_bundle(made, stirred(UNet(plane)), plane, folder / "diffusion", **FACTS)
    return folder


@pytest.fixture(scope="module")
def scan():
    rng = np.random.default_rng(0)
    return Volume.from_array(
        rng.uniform(-900, 900, (9, 15, 18)), (4.0, 3.0, 3.0), modality="CT", units="HU", name="scan"
    )


def context(scan, bundles, name, **settings):
    card = read_card(bundles / name)
    measurement = get_task("contrast-removal").prepare(scan, (1, 1, 1), 4, card.inputs)
    return Context(measurement, card, CPU, options={"grain": "network"}, **settings)


def run(scan, bundle, system, **settings):
    request = Translation(
        "contrast-removal", system, bundle=str(bundle), precision="float32", device="cpu", **settings
    )
    *_, done = translate(request, scan)
    return done


@pytest.mark.parametrize("plane", [None, "coronal"])
def test_the_regression_is_one_euler_step_of_the_flow_with_its_network(plane, scan, bundles):
    c = context(scan, bundles, "velocity", plane=plane)
    one, other = regression(c), flow(c)
    with torch.inference_mode():
        found = one.denoiser(c.measurement.plain, 0.0)
        *_, step = other.samplers["euler"](
            other.denoiser, other.start, timesteps(1), other.schedule, lambda i: None
        )
    torch.testing.assert_close(found, step.x0_hat)
    assert (found - c.measurement.plain).abs().max() > 1e-3


def test_the_regression_answers_in_hounsfield_units_once(scan, bundles):
    done = run(scan, bundles / "velocity", "ct-regression", samples=4, steps=9)
    assert done.volumes["mean"].shape == scan.shape
    assert done.volumes["mean"].units == "HU"
    assert "uncertainty" not in done.volumes


@pytest.mark.parametrize(("plane", "axis"), [("axial", 0), ("coronal", 1), ("sagittal", 2)])
def test_shared_noise_is_one_slice_at_the_start_and_at_every_step(plane, axis):
    def noise(i):
        return torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(i))

    sampler = with_shared_noise(ddpm, plane)
    # an estimate that tells slices apart only by x_t: slices stay alike if all their noise is
    steps = list(sampler(lambda x, t: 0.3 * x, noise(0), timesteps(3), vp_cosine, noise))
    for step in steps:
        same = step.x_t.narrow(axis, 0, 1).expand_as(step.x_t)
        torch.testing.assert_close(step.x_t, same)
        assert step.x_t.std() > 0.1
    assert torch.equal(steps[0].x_t.select(axis, 2), noise(0).select(axis, 0))


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "dpmpp_2m"])
def test_slices_that_are_alike_come_out_alike(solver, bundles, scan):
    alike = scan.with_data(np.broadcast_to(scan.data[4], scan.shape).copy())
    found = run(alike, bundles / "diffusion", "ddpm-ct", solver=solver, steps=3, samples=1).volumes["mean"]
    np.testing.assert_allclose(found.data, np.broadcast_to(found.data[:1], found.shape), atol=0.05)
    assert found.data[0].std() > 10


def test_another_seed_is_another_sample_of_the_diffusion(bundles, scan):
    one, other = (
        run(scan, bundles / "diffusion", "ddpm-ct", steps=2, samples=1, seed=s).volumes["mean"].data
        for s in (0, 1)
    )
    assert np.abs(one - other).mean() > 1


def test_a_bundle_without_the_axial_plane_or_of_a_residual_is_refused(bundles, scan):
    c = context(scan, bundles, "diffusion")
    with pytest.raises(BundleError, match="found planes coronal, accepted is axial among them"):
        diffusion(replace(c, card=replace(c.card, planes=("coronal",))))
    residual = {**c.card.diffusion, "what": "residual"}
    with pytest.raises(BundleError, match="found a diffused residual, ddpm-ct accepts an image"):
        diffusion(replace(c, card=replace(c.card, diffusion=residual)))
    with pytest.raises(BundleError, match="network of family 'unet', which this system does not use"):
        regression(c)
