"""The planes of a flow fused by a 3D network: the system, and the stage that trains it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles import verify_bundle
from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.engine import Translation, translate
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.time_monai import TimeMonai, TimeMonaiConfig
from napari_vol2vol.networks.unet import UNetConfig
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.systems.mfm_fusion import fused_velocity
from napari_vol2vol.training.contrast import train_contrast, validated, write_reversed
from napari_vol2vol.training.contrast_fusion import flow_fusion_loss, frozen_parts, make_flow_fusion
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.flow_pool import TorsoPool
from napari_vol2vol.training.recipe import Diffusion, Recipe, load_recipe
from napari_vol2vol.training.run import train
from napari_vol2vol.volume import Volume

PLANES = ("axial", "coronal", "sagittal")
FLOW = TimeMonaiConfig("unet", (8, 16), (1, 1), stem=2)
TRUNK = UNetConfig(3, 4, 3, (16,), (1,), (1,), stem=2)
NAME = "ct-contrast-fusion"


def recipe(name, stage, system):
    return Recipe(
        name, stage, task="contrast-removal", systems=(system,), inputs=("CT",), target="native",
        factor=(1, 1, 1), planes=PLANES, diffusion=Diffusion("image", "velocity", "linear"), default_steps=1,
    )  # fmt: skip


def export(made, network, config, folder, requires=()):
    digests = {card.name: card.weights["model.safetensors"] for card in requires}
    path = folder / made.name / made.name
    return export_bundle(
        made, network, config, path, scale=1.0, steps=0, seconds=0.0, requires=digests
    )  # fmt: skip


def flow_bundle(folder):
    torch.manual_seed(0)
    flow = TimeMonai(FLOW)
    torch.nn.init.normal_(flow.head.weight, std=0.02)
    return export(recipe("ct-contrast-flow", "flow", "mfm-planes"), flow, FLOW, folder)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """A flow, its fusion as it is at the start, one with other weights, and the reverse of that."""
    folder = tmp_path_factory.mktemp("fusion")
    flow = flow_bundle(folder)
    fusion = FusionNetwork(TRUNK)
    plain = export(recipe("plain", "flow-fusion", "mfm-fusion"), fusion, TRUNK, folder, [read_card(flow)])
    torch.nn.init.normal_(fusion.unet.out.weight, std=0.005)
    stirred = export(recipe("stirred", "flow-fusion", "mfm-fusion"), fusion, TRUNK, folder, [read_card(flow)])
    return {"flow": flow, "plain": plain, "stirred": stirred, "back": write_reversed(stirred)}


@pytest.fixture(scope="module")
def scan():
    data = np.random.default_rng(0).uniform(-900, 900, (9, 14, 18))
    return Volume.from_array(data, (4.0, 3.0, 3.0), modality="CT", units="HU", name="scan")


def run(scan, bundle, system="mfm-fusion", task="contrast-removal", **settings):
    request = Translation(task, system, bundle=str(bundle), precision="float32", device="cpu", **settings)
    *_, done = translate(request, scan)
    return done.volumes["mean"]


def test_an_untrained_fusion_is_the_exact_average_of_the_planes(bundles, scan):
    average = run(scan, bundles["flow"], "mfm-planes", solver="rk4", steps=2)
    fused = run(scan, bundles["plain"], solver="rk4", steps=2)
    np.testing.assert_allclose(fused.data, average.data, atol=0.02)
    assert np.abs(run(scan, bundles["stirred"], solver="rk4", steps=2).data - average.data).max() > 1


def test_one_network_serves_both_directions(bundles, scan):
    # nothing is padded: what lies in the padding at the end of one run is not known to the other
    scan = scan.with_data(np.random.default_rng(1).uniform(-700, 700, (8, 16, 20)), affine=scan.affine)
    own = {"solver": "rk4", "steps": 8, "options": {"grain": "network"}}
    there = run(scan, bundles["stirred"], **own)
    back = run(there, bundles["back"], task="contrast-addition", **own)
    assert np.abs(there.data - scan.data).max() > 1
    np.testing.assert_allclose(back.data, scan.data, atol=0.5)


def test_a_single_plane_or_a_missing_network_is_refused(bundles, scan, tmp_path):
    with pytest.raises(BundleError, match="found 1 planes, its network fuses 3"):
        run(scan, bundles["stirred"], plane="axial")
    alone = export(recipe("alone", "flow-fusion", "mfm-fusion"), FusionNetwork(TRUNK), TRUNK, tmp_path)
    with pytest.raises(BundleError, match="found networks of alone, accepted are a 3D network and the 2D"):
        run(scan, alone)


def test_slabs_of_the_3d_network_agree_where_it_reaches_no_further():
    torch.manual_seed(0)
    network = FusionNetwork(TRUNK).eval()
    parts = [lambda x, t, k=k: k * x for k in (0.5, 1.0, 1.5)]
    x = torch.randn(48, 8, 8)
    with torch.inference_mode():
        whole, slabs = (fused_velocity(network, parts, slab=s)(x, 0.5) for s in (None, 16))
    torch.testing.assert_close(whole, x, atol=1e-5, rtol=0)  # untrained: the mean of the three
    torch.testing.assert_close(slabs, whole, atol=1e-5, rtol=0)


def test_the_loss_of_true_velocities_is_zero_before_any_training():
    made = replace(load_recipe(NAME).dry(), batch=2)
    pool = TorsoPool(made.pool, made.seed)
    pool.entries = [replace(e, contrast=e.native + 0.25) for e in pool.entries]

    class Shift(torch.nn.Module):
        config = SimpleNamespace(in_channels=1)

        def forward(self, x, t, label):
            return torch.full_like(x, 0.25), []

    loss = flow_fusion_loss(pool, made, Shift())
    assert float(loss(make_flow_fusion(made), 0).detach()) == pytest.approx(0, abs=1e-6)
    assert frozen_parts(Shift(), ["axial"], torch.zeros(2, 4, 4))[0](
        torch.zeros(2, 4, 4), 0.5
    ).mean() == pytest.approx(0.25)


def test_cubes_are_cut_where_contrast_medium_went_and_small_grids_go_on():
    made = load_recipe(NAME).dry()
    pool = TorsoPool(replace(made.pool, phantom_shape=(16, 48, 56), enhancing_share=1.0), 3)
    rng = np.random.default_rng(0)
    native, contrast = pool.cube(rng, 24)
    assert native.shape == contrast.shape == (24, 24, 24)
    torch.testing.assert_close(native[16:], native[8:16].flip(0))
    near = np.mean([float((c - n).mean()) for n, c in (pool.cube(rng, 8) for _ in range(60))])
    pool.settings = replace(pool.settings, enhancing_share=0.0)
    far = np.mean([float((c - n).mean()) for n, c in (pool.cube(rng, 8) for _ in range(60))])
    assert near > 2 * max(far, 1e-3)


def test_the_stage_trains_over_a_flow_beside_it_and_writes_both_directions(tmp_path, monkeypatch):
    flow = read_card(flow_bundle(tmp_path))
    made = load_recipe(NAME).dry()
    card = read_card(train(made, tmp_path / NAME))
    verify_bundle(card)
    assert card.requires == {flow.name: flow.weights["model.safetensors"]}
    back = read_card(card.path.with_name(f"{NAME}-reversed"))
    assert set(back.requires) == {NAME, flow.name}
    assert (back.target, back.weights, card.planes) == ("arterial", {}, PLANES)
    pair = make_torso_pair(8, (9, 40, 40), (4.0, 3.0, 3.0), breathing_mm=0.0)
    monkeypatch.setattr("napari_vol2vol.training.contrast_validation.make_torso_pair", lambda *a, **k: pair)
    figures = validated(card, made)
    assert 0 < figures["mae hu"] < 200
    assert figures["source mae hu vessels"] > figures["source mae hu"]


def test_a_fusion_of_one_plane_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="planes: found axial, a fusion accepts two or three"):
        train_contrast(replace(load_recipe(NAME).dry(), planes=("axial",)), tmp_path)
