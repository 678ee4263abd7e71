import os
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles import verify_bundle
from napari_vol2vol.bundles.card import check_fit, read_card
from napari_vol2vol.bundles.library import list_bundles
from napari_vol2vol.engine import Done, Progress, SnapshotBox, Translation, translate
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.io import write_volume
from napari_vol2vol.networks.time_resnet import TimeResNet, TimeResNetConfig
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.training.contrast import train_contrast
from napari_vol2vol.training.contrast_losses import flow_loss
from napari_vol2vol.training.contrast_validation import ContrastValidation, one_step_of_rk2
from napari_vol2vol.training.flow_pool import TorsoPool, anatomy_from, in_model_space
from napari_vol2vol.training.pool import PoolSettings
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.training.run import train
from napari_vol2vol.volume import Volume

#: The paper's network sees x_t alone, the other its source too.
NAME, SOURCED = "ct-contrast-flow", "ct-contrast-flow-source"
SPACING = (4.0, 3.0, 3.0)
ADDED = {"contrast-removal": "", "contrast-addition": "-reversed"}


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
@pytest.mark.parametrize("name", [NAME, SOURCED])
def test_flows_run_in_any_solver_and_keep_odd_sizes(system, solver, name, dry_runs, scan):
    bundle = dry_runs / name / name
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


def test_of_two_flows_the_default_is_the_one_that_sees_its_source(dry_runs, monkeypatch):
    monkeypatch.setenv("VOL2VOL_BUNDLES", os.pathsep.join(str(dry_runs / n) for n in (NAME, SOURCED)))
    for task in ("contrast-removal", "contrast-addition"):
        found = [card.name for card in list_bundles(task, "mfm")]
        assert found.index(read_card(dry_runs / SOURCED / SOURCED).name + ADDED[task]) == 0
        assert NAME + ADDED[task] in found


@pytest.mark.parametrize("name", [NAME, SOURCED])
def test_slice_batches_change_nothing(name, dry_runs, scan):
    bundle = dry_runs / name / name
    one, many = (
        run(scan, bundle, system="mfm", steps=1, slice_batch=n).volumes["mean"].data for n in (1, 16)
    )
    np.testing.assert_allclose(one, many, atol=0.02)


def test_the_reversed_flow_undoes_the_flow(bundle, scan):
    there = run(scan, bundle, system="mfm", solver="rk4", steps=8).volumes["mean"]
    back = run(
        there,
        bundle.with_name(f"{bundle.name}-reversed"),
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


class Constant(torch.nn.Module):
    """Answers with the same velocity everywhere, and notes what it was shown."""

    def __init__(self, value=0.25):
        super().__init__()
        self.value, self.seen = value, []

    def forward(self, x, t, label):
        self.seen.append((x, t))
        return torch.full_like(x[:, :1], self.value), []


def shifted_pool(recipe):
    """Patients whose phases differ by a shift alone: their velocity is the same everywhere."""
    pool = TorsoPool(recipe.pool, recipe.seed)
    pool.entries = [replace(entry, contrast=entry.native + 0.25) for entry in pool.entries]
    return pool


@pytest.mark.parametrize("source_slices", [0, 1, 3])
def test_the_loss_of_the_true_velocity_is_zero(source_slices):
    dry = load_recipe(SOURCED).dry()
    own, twice = (0.45, 0.45) if source_slices else (0.0, 0.0)
    recipe = replace(dry, source_slices=source_slices, diffusion=replace(dry.diffusion, own=own, twice=twice))
    network = Constant()
    for step in range(4):
        assert float(flow_loss(shifted_pool(recipe), recipe)(network, step)) == pytest.approx(0, abs=1e-8)
    assert {x.shape[1] for x, _ in network.seen} == {1 + source_slices}


def test_a_flow_that_sees_its_source_is_shown_both_directions_and_x_t_between_the_phases():
    dry = load_recipe(SOURCED).dry()
    recipe = replace(dry, batch=32, diffusion=replace(dry.diffusion, own=0.0, ends=0.5))
    network = Constant()
    flow_loss(shifted_pool(recipe), recipe)(network, 1)
    ((x, t),) = network.seen
    x_t, source = x[:, 0], x[:, 2]  # of three slices of the source, the middle one
    gap = (source - x_t).mean((1, 2))
    removal, addition = (1 - t) * 0.25, -t * 0.25  # how far x_t lies below a contrast, above a native scan
    towards = [torch.isclose(gap, g, atol=1e-5) for g in (removal, addition)]
    assert (towards[0] | towards[1]).all()
    assert 8 <= int(towards[0].sum()) <= 24
    assert {0.0, 1.0} <= set(t.tolist())
    assert len(set(t.tolist())) > 8


def test_own_draws_start_where_the_networks_own_step_leads():
    dry = load_recipe(SOURCED).dry()
    recipe = replace(dry, batch=8, diffusion=replace(dry.diffusion, own=1.0))
    network = Constant(0.1)  # too little: its own step leads to 0.1 from the source, the truth lies at 0.25
    value = float(flow_loss(shifted_pool(recipe), recipe)(network, 0))
    assert value == pytest.approx(0.15, abs=1e-5)
    x, t = network.seen[-1]
    gap = (x[:, 2] - x[:, 0]).mean((1, 2))
    torch.testing.assert_close(gap, torch.where(t == 0, 0.1, -0.1), atol=1e-5, rtol=0)
    assert set(t.tolist()) <= {0.0, 1.0}


def test_twice_called_draws_learn_from_the_source_and_from_where_their_own_step_leads():
    dry = load_recipe(SOURCED).dry()
    recipe = replace(dry, batch=8, diffusion=replace(dry.diffusion, own=0.0, ends=0.0, twice=1.0))
    network = Constant(0.1)
    value = float(flow_loss(shifted_pool(recipe), recipe)(network, 0))
    assert value == pytest.approx(0.15, abs=1e-5)
    (first, at), (second, then) = network.seen
    torch.testing.assert_close(first[:, 0], first[:, 2])
    torch.testing.assert_close(then, 1 - at)
    torch.testing.assert_close(second[:, 1:], first[:, 1:])
    gap = (second[:, 2] - second[:, 0]).mean((1, 2))
    torch.testing.assert_close(gap, torch.where(at == 1, 0.1, -0.1), atol=1e-5, rtol=0)
    assert set(at.tolist()) == {0.0, 1.0}


def test_both_calls_of_a_draw_are_learned_from():
    dry = load_recipe(SOURCED).dry()
    recipe = replace(dry, batch=8, diffusion=replace(dry.diffusion, own=0.0, twice=1.0))

    class Early(torch.nn.Module):
        """Right where the source lies, wrong by 1 where the own step leads."""

        def forward(self, x, t, label):
            here = (x[:, :1] == x[:, 2:3]).all()
            return torch.full_like(x[:, :1], 0.25 if here else 1.25), []

    assert float(flow_loss(shifted_pool(recipe), recipe)(Early(), 0)) == pytest.approx(0.5, abs=1e-5)


def test_what_rk2_goes_by_is_learned_from_where_the_recipe_says_so():
    dry = load_recipe(SOURCED).dry()
    recipe = replace(dry, batch=8, diffusion=replace(dry.diffusion, own=0.0, twice=1.0, mean=2.0))

    class Opposite(torch.nn.Module):
        """Too low by 1 where the source lies, too high by 1.5 where the own step leads."""

        def forward(self, x, t, label):
            here = (x[:, :1] == x[:, 2:3]).all()
            return torch.full_like(x[:, :1], -0.75 if here else 1.75), []

    value = float(flow_loss(shifted_pool(recipe), recipe)(Opposite(), 0))
    calls, mean = (1 + 1.5) / 2, (1.5 - 1) / 2
    assert value == pytest.approx(calls + 2 * mean, abs=1e-5)


def test_of_a_native_scan_nothing_is_removed_and_nothing_is_said_of_adding():
    recipe = replace(load_recipe(SOURCED).dry(), batch=16)
    pool = TorsoPool(recipe.pool, recipe.seed)
    pool.entries = [replace(entry, contrast=entry.native) for entry in pool.entries]
    network = Constant(0.0)
    assert float(flow_loss(pool, recipe)(network, 0)) == 0
    ((x, t),) = network.seen
    assert (t == 1).all()
    torch.testing.assert_close(x[:, 0], x[:, 2])


def test_a_short_training_lowers_the_loss():
    recipe = replace(load_recipe(NAME).dry(), batch=8, crop=32)
    pool = TorsoPool(replace(recipe.pool, phantom_shape=(24, 48, 48)), 1)
    torch.manual_seed(0)
    network = TimeResNet(
        TimeResNetConfig(2, 1 + recipe.source_slices, 1, (16, 32), (1, 1), middle=1, heads=2, stem=2)
    )
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


def written(folder, name, data):
    path = folder / f"{name}.nii.gz"
    write_volume(Volume.from_array(data, (5.0, 3.0, 3.0), modality="CT", units="HU", name=name), path)
    return path


def test_enhanced_volumes_are_refused_as_they_come_without_a_pair(tmp_path):
    made = make_torso_pair(3, (32, 100, 112), (5.0, 3.0, 3.0))
    path = written(tmp_path, "enhanced", made.contrast)
    recipe = replace(load_recipe(NAME), train=("enhanced",), start=None)
    with pytest.raises(SettingsError, match=r"found enhanced.nii.gz, .* it needs pairs of one patient"):
        train(recipe, tmp_path / "run", volumes=tmp_path)
    assert anatomy_from(written(tmp_path, "native", made.native)).name == "native"
    assert path.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"source_slices": 0},
        {"stage": "ct-regression", "task": "contrast-addition", "target": "arterial"},
    ],
    ids=["flow of x_t alone", "regression to arterial"],
)
def test_native_scans_are_refused_where_they_would_teach_the_wrong_thing(changes, tmp_path):
    path = written(tmp_path, "native", make_torso_pair(3, (32, 100, 112), (5.0, 3.0, 3.0)).native)
    recipe = replace(load_recipe(SOURCED), **changes)
    with pytest.raises(SettingsError, match="found native, native scans; accepted are maps of organs"):
        train_contrast(recipe, tmp_path / "run", volumes=[path])


def test_patients_come_from_maps_and_native_scans_as_often_as_the_recipe_says(tmp_path):
    labels = np.zeros((24, 40, 48), np.float32)
    labels[:, 8:34, 6:42], labels[:, 18:24, 20:26] = 120, 52
    organs = anatomy_from(written(tmp_path, "map", labels))
    native = anatomy_from(written(tmp_path, "native", make_torso_pair(3, (8, 40, 44), SPACING).native))
    settings = PoolSettings(entries=12, phantom_shape=(8, 40, 44), phantom_share=0.0)
    pool = TorsoPool(settings, 1, [organs, native])
    same = [torch.equal(e.native, e.contrast) for e in pool.entries]
    assert 0 < sum(same) < len(same)
    assert all(len(e.enhanced) == 0 for e, s in zip(pool.entries, same, strict=True) if s)
    alone = TorsoPool(replace(settings, phantom_share=1.0), 1, [organs, native]).entries
    for entry, other in zip(alone, TorsoPool(settings, 1).entries, strict=True):
        assert torch.equal(entry.native, other.native)


def test_stacks_are_neighbouring_slices_of_both_phases_with_the_ends_replicated():
    pool = TorsoPool(PoolSettings(entries=1, phantom_shape=(5, 24, 32), turned=False), 3)
    pool.entries = [
        replace(e, native=torch.arange(5.0).reshape(5, 1, 1).expand(5, 24, 32).clone(), contrast=e.contrast)
        for e in pool.entries
    ]
    seen = set()
    for seed in range(30):
        native, contrast = pool.stacks(np.random.default_rng(seed), "axial", 16, 3)
        assert native.shape == contrast.shape == (3, 16, 16)
        seen.add(tuple(native.mean((1, 2)).tolist()))
    assert seen == {(0, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 4)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source_slices: 2", "source_slices: found 2, accepted are 0 and odd numbers"),
        ("source_slices: 0", "own: found 0.45, accepted are 0 to 1 with source_slices, else 0"),
        ("diffusion: {twice: 1.5}", "twice: found 1.5, accepted are 0 to 1 with source_slices, else 0"),
        (
            "diffusion: {mean: 1.0}",
            "mean: found 1.0, accepted are 0 and, with twice, positive numbers",
        ),
        (
            "start: ct-contrast-flow\nstart_share: 1.5",
            "start_share: found 1.5, accepted are 0 to 1 with start",
        ),
        ("start: null\nstart_share: 0.5", "start_share: found 0.5, accepted are 0 to 1 with start"),
        ("stage: ct-diffusion", "source_slices: found 3, stage ct-diffusion accepts none"),
    ],
)
def test_what_a_network_sees_of_its_source_is_checked(text, message, tmp_path):
    lines = (files("napari_vol2vol.training") / "recipes" / f"{SOURCED}.yaml").read_text().splitlines()
    key = text.split(":")[0]
    path = tmp_path / "recipe.yaml"
    path.write_text("\n".join(text if line.startswith(f"{key}:") else line for line in lines))
    with pytest.raises(SettingsError, match=message):
        load_recipe(path)


def test_crops_can_be_centred_where_contrast_medium_went():
    pool = TorsoPool(PoolSettings(entries=1, phantom_shape=(16, 48, 56), enhancing_share=1.0), 3)
    rng = np.random.default_rng(0)

    def brightness(share):
        pool.settings = replace(pool.settings, enhancing_share=share)
        pairs = [pool.stacks(rng, "axial", 16, 1) for _ in range(150)]
        return float(torch.stack([contrast - native for native, contrast in pairs])[:, 0, 6:10, 6:10].mean())

    assert brightness(1.0) > 3 * max(brightness(0.0), 1e-3)
