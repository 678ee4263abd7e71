from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles import verify_bundle
from napari_vol2vol.bundles.card import check_fit, read_card
from napari_vol2vol.engine import Done, Progress, SnapshotBox, Translation, translate
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.networks.time_resnet import TimeResNet, TimeResNetConfig
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.training.contrast import train_contrast
from napari_vol2vol.training.contrast_losses import flow_loss
from napari_vol2vol.training.contrast_validation import ContrastValidation, one_step_of_rk2
from napari_vol2vol.training.flow_pool import TorsoPool, in_model_space
from napari_vol2vol.training.pool import PoolSettings
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.volume import Volume

NAME = "ct-contrast-flow"
SPACING = (4.0, 3.0, 3.0)


@pytest.fixture(scope="module")
def bundle(dry_runs):
    return dry_runs / NAME / NAME


@pytest.fixture
def scan():
    pair = make_torso_pair(8, (9, 30, 34), SPACING)
    return Volume.from_array(pair.contrast, SPACING, modality="CT", units="HU", name="scan")


def run(scan, bundle, task="contrast-removal", **settings):
    request = Translation(task, bundle=str(bundle), precision="float32", device="cpu", **settings)
    *_, done = translate(request, scan)
    assert isinstance(done, Done)
    return done


def test_the_card_says_what_the_flow_is_for(bundle):
    card = read_card(bundle)
    verify_bundle(card)
    assert (card.task, card.target, card.modality, card.inputs) == (
        "contrast-removal",
        "native",
        ("CT",),
        ("CT",),
    )
    assert card.planes == ("axial", "coronal", "sagittal")
    assert "Procedural patients alone" in card.training


def test_the_other_direction_is_a_card_on_the_same_weights(bundle):
    there, back = read_card(bundle), read_card(bundle.with_name(f"{NAME}-reversed"))
    assert (back.task, back.target, back.weights) == ("contrast-addition", "arterial", {})
    assert back.requires == {there.name: there.weights["model.safetensors"]}


@pytest.mark.parametrize("system", ["mfm", "mfm-planes"])
@pytest.mark.parametrize("solver", ["rk2", "euler", "adams"])
def test_flows_run_in_any_solver_and_keep_odd_sizes(system, solver, bundle, scan):
    done = run(scan, bundle, system=system, solver=solver, steps=2, samples=3)
    result = done.volumes["mean"]
    assert result.shape == scan.shape
    assert (result.units, result.modality) == ("HU", "CT")
    assert "uncertainty" not in done.volumes  # a flow has one answer: three samples would be three times it


def test_what_a_run_changed_in_a_ct_comes_as_a_volume_of_its_own(bundle, scan):
    volumes = run(scan, bundle, system="mfm").volumes
    np.testing.assert_allclose(volumes["change"].data, volumes["mean"].data - scan.data)
    assert volumes["change"].units == "HU"


def test_a_flow_streams_every_step(bundle, scan):
    request = Translation("contrast-removal", "mfm", bundle=str(bundle), steps=3, precision="float32")
    seen = [e.step for e in translate(request, scan) if isinstance(e, Progress) and e.fraction]
    assert set(seen) >= {1, 2, 3}


def test_what_is_watched_has_the_grid_of_the_scan_although_the_network_sees_the_body_alone(bundle):
    taps = []

    class Keep(SnapshotBox):
        def put(self, snapshot):
            taps.append(snapshot.taps)

    hu = np.full((8, 64, 72), -1000.0, np.float32)
    hu[:, 24:36, 28:44] = 40
    wide = Volume.from_array(hu, (3.0, 2.0, 2.0), modality="CT", units="HU", name="wide")
    request = Translation("contrast-removal", "mfm", bundle=str(bundle), device="cpu", precision="float32")
    *_, done = translate(request, wide, box=Keep())
    shown = taps[0]["velocity axial"]
    assert shown.shape == hu.shape
    assert np.abs(shown[:, 24:36, 28:44]).max() > 0
    assert not shown[..., :8].any()
    np.testing.assert_allclose(done.volumes["mean"].data[..., :8], -1000, atol=1e-3)


def test_slice_batches_change_nothing(bundle, scan):
    one, many = (
        run(scan, bundle, system="mfm", steps=1, slice_batch=n).volumes["mean"].data for n in (1, 16)
    )
    np.testing.assert_allclose(one, many, atol=0.02)


def test_the_reversed_flow_undoes_the_flow(bundle, scan):
    there = run(scan, bundle, system="mfm", solver="rk4", steps=8).volumes["mean"]
    back = run(
        there,
        bundle.with_name(f"{NAME}-reversed"),
        task="contrast-addition",
        system="mfm",
        solver="rk4",
        steps=8,
    ).volumes["mean"]
    inside = np.clip(scan.data, -1000, 1000) == scan.data
    np.testing.assert_allclose(back.data[inside], scan.data[inside], atol=0.5)


def test_a_bundle_whose_target_is_no_phase_is_refused(bundle, scan, tmp_path):
    import shutil

    other = shutil.copytree(bundle, tmp_path / "other")
    text = (other / "metadata.json").read_text().replace('"target": "native"', '"target": "venous"')
    (other / "metadata.json").write_text(text)
    with pytest.raises(BundleError, match="found target 'venous', accepted are native, arterial"):
        run(scan, other, system="mfm")


def test_hounsfield_units_do_not_warn_of_negative_intensities(bundle, scan):
    assert not [w for w in check_fit(read_card(bundle), scan) if "negative" in w]


def test_the_loss_of_the_true_velocity_is_zero():
    recipe = load_recipe(NAME).dry()
    pool = TorsoPool(recipe.pool, recipe.seed)
    for i, entry in enumerate(pool.entries):  # a shift alone: its velocity is the same everywhere
        pool.entries[i] = replace(entry, contrast=entry.native + 0.25)

    class Constant(torch.nn.Module):
        def forward(self, x, t, label):
            return torch.full_like(x, 0.25), []

    assert float(flow_loss(pool, recipe)(Constant(), 0)) == pytest.approx(0, abs=1e-8)


def test_a_short_training_lowers_the_loss():
    recipe = replace(load_recipe(NAME).dry(), batch=8, crop=32)
    pool = TorsoPool(replace(recipe.pool, phantom_shape=(24, 48, 48)), 1)
    torch.manual_seed(0)
    network = TimeResNet(TimeResNetConfig(2, 1, 1, (16, 32), (1, 1), middle=1, heads=2, stem=2))
    loss, optimiser = flow_loss(pool, recipe), torch.optim.Adam(network.parameters(), 3e-3)
    values = []
    for step in range(40):
        optimiser.zero_grad()
        value = loss(network, step)
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    assert np.mean(values[-10:]) < 0.8 * np.mean(values[:5])


def test_validation_of_a_flow_that_stands_still_is_the_error_of_the_source():
    class Still(torch.nn.Module):
        def forward(self, x, t, label):
            return torch.zeros_like(x), []

    pair = make_torso_pair(8, (9, 40, 40), SPACING, breathing_mm=0.0)
    figures = ContrastValidation(one_step_of_rk2(), held_out=pair)(Still())
    assert figures["mae hu"] == pytest.approx(figures["source mae hu"], abs=0.5)
    assert figures["source mae hu vessels"] > figures["source mae hu"]


def test_model_space_is_hounsfield_units_clipped_and_scaled():
    values = in_model_space(np.array([-3000.0, -1000.0, 0.0, 1000.0, 2000.0], np.float32))
    assert values.tolist() == [-1, -1, 0, 1, 1]


def test_real_volumes_are_refused_as_they_come_without_a_pair(tmp_path):
    with pytest.raises(SettingsError, match="it needs pairs of one patient"):
        train_contrast(replace(load_recipe(NAME), train=("torso-3",)), tmp_path)


def test_crops_can_be_centred_where_contrast_medium_went():
    pool = TorsoPool(PoolSettings(entries=1, phantom_shape=(16, 48, 56), enhancing_share=1.0), 3)
    rng = np.random.default_rng(0)

    def brightness(share):
        pool.settings = replace(pool.settings, enhancing_share=share)
        pairs = [pool.slices(rng, "axial", 16) for _ in range(150)]
        return float(torch.stack([contrast - native for native, contrast in pairs])[:, 6:10, 6:10].mean())

    assert brightness(1.0) > 3 * max(brightness(0.0), 1e-3)
