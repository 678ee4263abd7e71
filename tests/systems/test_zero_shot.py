import dataclasses
import json
import threading
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from napari_vol2vol.engine import Notice, SampleDone, SnapshotBox, Translation, translate
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.metrics import mutual_information
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.measurement import Measurement
from napari_vol2vol.systems.registry import get_system
from napari_vol2vol.tasks import get_task
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.guided_score import window_of
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.volume import Volume
from tiny_bundles import PLANE, stirred

SYSTEMS = ("midiffusion", "sdedit-planes", "sdedit")
TASK = "modality-translation"
QUICK = Translation(TASK, "midiffusion", steps=3, samples=2, precision="float32", device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bundle of `mi-t1` with a tiny untrained network."""
    recipe = load_recipe("mi-t1")
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("zero-shot")
    bundle = export_bundle(
        recipe, stirred(UNet(PLANE)), PLANE, root / recipe.name, scale=0.8, steps=0, seconds=0.0, requires={}
    )
    path = bundle / "metadata.json"
    raw = json.loads(path.read_text())
    raw["vol2vol"]["network"]["guidance"] = asdict(window_of(recipe.guidance))
    path.write_text(json.dumps(raw))
    return root


@pytest.fixture
def bundle(folder, monkeypatch):
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(folder))
    return folder / "mi-t1"


@pytest.fixture(scope="module")
def t2():
    data = np.random.default_rng(0).gamma(2.0, 50.0, (10, 14, 12))
    return Volume.from_array(data, modality="T2w", name="t2")


def run(request, source, **options):
    events = list(translate(request, source, **options))
    return events, events[-1]


@pytest.mark.parametrize("system", SYSTEMS)
def test_seeds_repeat_options_are_recorded_and_the_result_is_of_the_target(system, bundle, t2):
    request = replace(QUICK, system=system)
    first, again = (run(request, t2)[1] for _ in range(2))
    assert np.array_equal(first.volumes["x0"].data, again.volumes["x0"].data)
    other = run(replace(request, seed=5), t2)[1]
    assert not np.array_equal(first.volumes["x0"].data, other.volumes["x0"].data)
    assert first.volumes["mean"].modality == "T1w"
    assert first.volumes["mean"].shape == t2.shape
    settings = first.record["settings"]
    assert settings["solver"] == "ddim"
    assert set(settings["options"]) == {o.name for o in get_system(system).options}
    assert first.record["bundle"]["name"] == "mi-t1"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("solver", ["predictor-corrector", "euler-maruyama", "ddpm", "dpmpp_2m"])
def test_every_solver_ends_with_finite_values(system, solver, bundle, t2):
    _, done = run(replace(QUICK, system=system, solver=solver, samples=1), t2)
    assert np.isfinite(done.volumes["x0"].data).all()


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_slice_batch_does_not_change_the_volume(system, bundle, t2):
    first, other = (
        run(replace(QUICK, system=system, samples=1, slice_batch=n), t2)[1].volumes["x0"].data for n in (1, 8)
    )
    np.testing.assert_allclose(first, other, atol=0.05)  # of 1000


def test_the_map_can_be_watched_while_it_samples(bundle, t2):
    taps = []

    class Keep(SnapshotBox):
        def put(self, snapshot):
            taps.append(snapshot.taps)

    run(replace(QUICK, samples=1), t2, box=Keep())
    assert {"x_t", "LMI axial", "LMI coronal", "LMI sagittal", "axial"} <= set(taps[0])
    shown = taps[0]["LMI coronal"]
    assert shown.shape == t2.shape
    assert 0 <= shown.min() < shown.max() <= 1
    taps.clear()
    run(replace(QUICK, samples=1, plane="coronal"), t2, box=Keep())
    assert "LMI coronal" in taps[0]
    assert "LMI axial" not in taps[0]


def test_agreement_raises_the_information_shared_with_the_source_and_none_is_the_plain_system(bundle, t2):
    def shared(weight):
        request = replace(QUICK, samples=1, steps=4, options={"agreement": weight})
        return mutual_information(run(request, t2)[1].volumes["x0"].data, t2.data, 16)

    none, some, more = (shared(weight) for weight in (0.0, 0.3, 0.6))
    assert none < some < more


def test_cancel_keeps_the_samples_that_were_finished(bundle, t2):
    cancel, events = threading.Event(), []
    for event in translate(replace(QUICK, samples=30), t2, cancel=cancel):
        events.append(event)
        if isinstance(event, SampleDone):
            cancel.set()
    assert events[-1].cancelled
    assert 1 <= events[-1].record["samples_finished"] < 30


def test_sdedit_with_hardly_any_noise_keeps_the_source_and_with_all_of_it_forgets_it(bundle, t2):
    wanted = 1000 * t2.data / np.percentile(t2.data, 99.5)

    def off(t0, system="sdedit-planes"):
        done = run(replace(QUICK, system=system, samples=1, options={"t0": t0}), t2)[1]
        return float(np.abs(done.volumes["x0"].data - wanted).mean())

    assert off(0.01) < 15
    assert off(0.01) < off(0.4) < off(0.9)


def test_sdedit_finds_its_start_from_the_information_that_noise_leaves(bundle, t2):
    def volume(**options):
        return run(replace(QUICK, system="sdedit", samples=1, options=options), t2)[1].volumes["x0"].data

    much, little = volume(t0=None, information=0.9), volume(t0=None, information=0.1)
    wanted = 1000 * t2.data / np.percentile(t2.data, 99.5)
    assert np.abs(much - wanted).mean() < np.abs(little - wanted).mean()
    with pytest.raises(SettingsError, match=r"t0: found 2\.0, accepted are numbers from 0\.01 to 1, or auto"):
        volume(t0=2.0)


def test_a_source_of_a_modality_without_pairs_is_told_that_it_is_zero_shot(bundle, t2):
    pd = dataclasses.replace(t2, modality="PD")
    events, _ = run(replace(QUICK, samples=1), pd)
    messages = " ".join(e.message for e in events if isinstance(e, Notice))
    assert "no installed bundle was trained on pairs with PD" in messages
    assert "midiffusion, sdedit-planes, sdedit are zero-shot" in messages
    paired = dataclasses.replace(t2, modality="T1ce")  # of the packaged t1ce-flair-planes
    assert get_task(TASK).remarks(paired) == []


def test_the_task_offers_them_after_what_was_trained_on_pairs():
    systems = get_task(TASK).systems
    assert [s for s in systems if s in SYSTEMS] == list(SYSTEMS)
    assert systems.index("tosm") < systems.index("midiffusion") < systems.index("identity")
    assert all(get_system(s).description.startswith("zero-shot: the model has never seen") for s in SYSTEMS)


def test_a_bundle_without_a_map_is_refused(folder, bundle, t2, tmp_path):
    copy = tmp_path / "plain"
    copy.mkdir()
    for file in bundle.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    raw = json.loads((copy / "metadata.json").read_text())
    del raw["vol2vol"]["network"]["guidance"]
    (copy / "metadata.json").write_text(json.dumps(raw))
    with pytest.raises(BundleError, match="found no guidance in its card"):
        run(replace(QUICK, bundle=str(copy)), t2)


def test_the_source_needs_no_condition_of_its_own(t2):
    m = get_task(TASK).prepare(t2, (1, 1, 1), 8, ())
    assert isinstance(m, Measurement)
    assert not m.conditions
