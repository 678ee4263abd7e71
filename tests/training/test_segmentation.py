"""The segmentation stage: its cubes, what its network is shown, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.weights import load_segresnet, load_unet
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.networks.segresnet import SegResNet
from napari_vol2vol.phantoms.brain import REGIONS
from napari_vol2vol.training import segmentation_validation
from napari_vol2vol.training.pool import PoolSettings
from napari_vol2vol.training.recipe import Phase, load_recipe
from napari_vol2vol.training.run import train
from napari_vol2vol.training.segmentation import MISSING, channels_of, region_loss
from napari_vol2vol.training.segmentation_pool import CONTRASTS, RegionEntry, RegionPool
from napari_vol2vol.training.segmentation_validation import RegionValidation
from napari_vol2vol.training.trainer import Loop, LoopSettings
from segmentation_bundles import TINY, make_segmentation_bundle

INPUTS = ("T1ce", "FLAIR")
POOL = PoolSettings(
    entries=4, crop=32, renew_every=10**9, phantom_share=1.0, phantom_anatomies=2, phantom_shape=(40, 48, 40)
)


@pytest.fixture(scope="module")
def pool():
    return RegionPool(POOL, seed=1)


@pytest.fixture
def recipe():
    return replace(load_recipe("brain-regions"), pool=POOL, phases=(Phase(32, 2, 40),))


def flat_entry():
    """Every contrast is one value of its own."""
    images = {name: torch.full((4, 4, 4), 0.1 + 0.2 * i) for i, name in enumerate(CONTRASTS)}
    return RegionEntry(images, torch.zeros(4, 4, 4, dtype=torch.uint8))


def test_images_of_an_entry_show_their_labels(pool):
    for entry in pool.entries:
        assert set(entry.images) == set(CONTRASTS)
        assert entry.labels.shape == entry.images["T1w"].shape == (32, 32, 32)
        assert all(float(i.min()) >= 0 and float(i.max()) == 1 for i in entry.images.values())
        csf, wm = (entry.labels == REGIONS.index(name) for name in ("CSF", "WM"))
        if csf.sum() > 50 and wm.sum() > 50:
            assert entry.images["T2w"][csf].mean() > entry.images["T2w"][wm].mean()
            assert entry.images["T1w"][csf].mean() < entry.images["T1w"][wm].mean()


def test_the_same_seed_gives_the_same_cubes_and_renewing_changes_one(pool):
    again = RegionPool(POOL, seed=1)
    assert all(
        torch.equal(a.images["FLAIR"], b.images["FLAIR"]) and torch.equal(a.labels, b.labels)
        for a, b in zip(pool.entries, again.entries, strict=True)
    )
    again.renew()
    same = [torch.equal(a.labels, b.labels) for a, b in zip(pool.entries, again.entries, strict=True)]
    assert same.count(False) == 1


def test_lesions_are_met_more_often_than_by_chance(pool):
    held = [bool((entry.labels >= REGIONS.index("lesion core")).any()) for entry in pool.entries]
    assert sum(held) >= 2


def test_the_network_is_shown_both_inputs_one_missing_or_any_contrast_twice():
    rng, entry, kinds = np.random.default_rng(0), flat_entry(), []
    for _ in range(2000):
        x = channels_of(entry, INPUTS, rng)
        assert x.shape == (2, 4, 4, 4)
        assert -1 <= float(x.min()) <= float(x.max()) <= 1
        empty = [bool((channel == MISSING).all()) for channel in x]
        kinds.append("missing" if any(empty) else "alike" if torch.equal(x[0], x[1]) else "both")
        assert not all(empty)
    shares = {kind: kinds.count(kind) / len(kinds) for kind in ("both", "missing", "alike")}
    assert shares == pytest.approx({"both": 0.5, "missing": 0.25, "alike": 0.25}, abs=0.03)


def test_each_channel_varies_in_brightness_by_itself_around_its_own_contrast():
    rng, entry = np.random.default_rng(0), flat_entry()
    drawn = torch.stack([channels_of(entry, INPUTS, rng)[:, 0, 0, 0] for _ in range(1000)])
    both = drawn[(drawn[:, 0] != drawn[:, 1]) & (drawn > MISSING).all(1)]
    shown = (both + 1) / 2
    wanted = [float(entry.images[name][0, 0, 0]) for name in INPUTS]
    assert shown.mean(0).tolist() == pytest.approx(wanted, rel=0.1)
    assert (shown.std(0) > 0.05).all()
    assert abs(float(torch.corrcoef(shown.T)[0, 1])) < 0.15


def test_a_short_training_lowers_the_loss_and_segments_better_than_chance(
    pool, recipe, tmp_path, monkeypatch
):
    monkeypatch.setattr(segmentation_validation, "HEADS", 1)
    monkeypatch.setattr(segmentation_validation, "PHANTOM_SHAPE", (48, 48, 48))
    torch.manual_seed(0)
    validation, loss = RegionValidation(INPUTS), region_loss(pool, recipe)
    network = SegResNet(TINY)

    def held_out_loss(net):
        with torch.no_grad():
            return float(sum(loss(net, 1000 + i) for i in range(5)))

    before, chance = held_out_loss(network), validation(network)
    settings = LoopSettings(steps=60, lr=1e-2, warmup=3, ema=0.8, validate_every=10**9)
    trained = Loop(network, loss, settings, tmp_path).run()
    after = validation(trained)
    assert held_out_loss(trained) < 0.9 * before
    assert after["dice"] > chance["dice"] + 0.05
    assert max(after["dice GM"], after["dice WM"]) > 0.4
    assert {"dice without T1ce", "dice without FLAIR"} < set(after)


def test_validation_is_perfect_for_the_truth_and_heads_are_no_training_heads(monkeypatch):
    monkeypatch.setattr(segmentation_validation, "HEADS", 2)
    monkeypatch.setattr(segmentation_validation, "PHANTOM_SHAPE", (24, 24, 24))
    seeds, made = [], segmentation_validation.make_anatomy

    def noted(seed, *arguments, **keywords):
        seeds.append(seed)
        return made(seed, *arguments, **keywords)

    monkeypatch.setattr(segmentation_validation, "make_anatomy", noted)
    validation = RegionValidation(INPUTS)
    truths = iter([labels for _, labels in validation._heads] * 3)
    monkeypatch.setattr(segmentation_validation, "segment", lambda *a: next(truths))
    figures = validation(SegResNet(TINY))
    assert seeds == [900_001, 900_002]
    assert set(figures.values()) == {1.0}


def test_the_card_names_regions_and_the_network_loads_from_it(tmp_path):
    card = read_card(make_segmentation_bundle(tmp_path))
    assert card.task == "segmentation"
    assert tuple(card.network["regions"]) == REGIONS
    assert card.inputs == INPUTS
    network = load_segresnet(card, torch.device("cpu"))
    assert network.config == TINY
    assert not network.training
    with pytest.raises(BundleError, match="'monai-segresnet', accepted are unet, monai-unet"):
        load_unet(card, torch.device("cpu"))


def test_a_translation_bundle_is_no_segmentation_network(tiny_bundles):
    card = read_card(tiny_bundles / "sr4-t1-regression")
    with pytest.raises(BundleError, match="family 'unet', accepted is 'monai-segresnet'"):
        load_segresnet(card, torch.device("cpu"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": ("bold5000-1",)}, "found bold5000-1, stage segmentation accepts none"),
        ({"inputs": ("T1ce", "CT")}, "inputs: found CT, accepted are T1w, T1ce, T2w, FLAIR"),
        ({"preset": "tiny"}, "SegResNet preset: found 'tiny'"),
    ],
)
def test_a_mistake_in_the_recipe_is_named(recipe, tmp_path, change, message):
    small = replace(recipe.dry(), **change)
    with pytest.raises(SettingsError, match=message):
        train(small, tmp_path / "run")
