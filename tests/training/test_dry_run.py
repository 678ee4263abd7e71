import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles import verify_bundle
from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.library import inputs_of
from napari_vol2vol.bundles.weights import load_segresnet
from napari_vol2vol.engine import Translation, output_of, translate
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.phantoms.brain import REGIONS
from napari_vol2vol.tasks.segmentation import segment
from napari_vol2vol.training.export import MAX_BYTES, export_bundle
from napari_vol2vol.training.recipe import load_recipe, shipped_recipes
from napari_vol2vol.training.run import find_volumes, train
from napari_vol2vol.volume import Volume

SHIPPED = shipped_recipes()


def low(modality):
    return Volume.from_array(np.random.default_rng(0).uniform(0, 9, (4, 4, 4)), (4, 4, 4), modality=modality)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_dry_run_of_every_shipped_recipe_writes_a_bundle_that_the_engine_runs(name, dry_runs):
    card = read_card(dry_runs / name / name)
    verify_bundle(card)
    assert sum(f.stat().st_size for f in card.path.iterdir()) < MAX_BYTES + 10_000
    source = low(card.target)
    fine = source.resampled_to(output_of(Translation(system="trilinear", samples=1), source))
    wanted = {n: replace(fine, modality=n) for n in inputs_of(card) if n != "base"}
    if card.task == "modality-translation":
        zero_shot = replace(fine, modality="T2w")  # of a bundle without inputs any modality is the source
        source = wanted.pop(card.inputs[0]) if card.inputs else zero_shot
    if card.task == "segmentation":  # no translation: the evaluation runs it
        labels = segment(load_segresnet(card, torch.device("cpu")), card.inputs, wanted)
        assert labels.shape == (16, 16, 16)
        assert labels.max() < len(card.network["regions"])
        return
    if card.task == "reconstruction-prior":
        pytest.skip("priors are run in test_prior.py")
    if card.modality == ("CT",):
        pytest.skip("flows are run in test_flow.py")
    for system in card.systems:
        request = Translation(card.task, system, bundle=str(card.path), steps=1, precision="float32")
        *_, done = translate(request, source, conditions=wanted)
        assert done.volumes["mean"].shape == (16, 16, 16)
        assert done.volumes["mean"].modality == card.target
        assert done.record["bundle"]["name"] == name


TRAINED = [name for name in SHIPPED if load_recipe(name).stage != "ensemble"]


@pytest.mark.parametrize("name", TRAINED)
def test_a_run_leaves_its_loss_as_table_and_picture_and_a_checkpoint(name, dry_runs):
    rows = list(csv.DictReader((dry_runs / name / "loss.csv").read_text().splitlines()))
    assert rows[-1]["step"] == str(load_recipe(name).dry().loop.steps)
    assert float(rows[-1]["loss"]) > 0
    assert (dry_runs / name / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert (dry_runs / name / "checkpoint.pt").is_file()


def test_the_card_of_fusion_names_the_plane_weights_it_was_trained_on(dry_runs):
    planes = read_card(dry_runs / "sr4-t1-planes" / "sr4-t1-planes")
    fusion = read_card(dry_runs / "sr4-t1-fusion" / "sr4-t1-fusion")
    assert fusion.requires == {planes.name: planes.weights["model.safetensors"]}
    assert fusion.network["feature_scales"] == [2, 4]
    assert fusion.diffusion["scale"] == planes.diffusion["scale"]


def test_the_segmentation_bundle_names_its_regions_and_stays_under_four_mib(dry_runs):
    card = read_card(dry_runs / "brain-regions" / "brain-regions")
    assert tuple(card.network["regions"]) == REGIONS
    assert all(region in card.title for region in REGIONS)
    assert (card.path / "model.safetensors").stat().st_size < 4 * 2**20


def test_a_card_says_what_it_was_trained_on(dry_runs):
    card = read_card(dry_runs / "sr4-t1-planes" / "sr4-t1-planes")
    assert "Real volumes: none; 100% procedural heads" in card.training
    assert "Not for diagnosis" in card.limits
    assert card.modality == ("T1w",)
    raw = json.loads((card.path / "metadata.json").read_text())
    assert raw["authors"]
    assert raw["licence"] == "BSD-3-Clause"


def test_a_finished_run_exports_again_without_training(dry_runs, monkeypatch):
    monkeypatch.setattr("napari_vol2vol.training.trainer.Loop._one_step", None)
    said = []
    recipe = load_recipe("sr4-t1-planes").dry()
    before = read_card(dry_runs / recipe.name / recipe.name).weights
    train(recipe, dry_runs / recipe.name, say=said.append)
    assert any("resumed at step 2" in text for text in said)
    assert read_card(dry_runs / recipe.name / recipe.name).weights == before


def test_only_the_dry_run_is_small():
    recipe = load_recipe("sr4-t1-planes")
    assert recipe.pool.phantom_shape == (160, 192, 160)
    assert recipe.dry().pool.phantom_shape == (40, 40, 40)
    assert (recipe.dry().name, recipe.dry().preset) == (recipe.name, recipe.preset)


def test_missing_volumes_name_the_command_that_fetches_them(tmp_path):
    (tmp_path / "bold5000-1.nii.gz").touch()
    with pytest.raises(SettingsError, match=r"bold5000-2 not found in .*fetch_volumes\.py bold5000-2 --to"):
        find_volumes(("bold5000-1", "bold5000-2"), tmp_path)
    with pytest.raises(SettingsError, match=r"fetch_volumes\.py bold5000-2 --to"):
        train(load_recipe("sr4-t1-planes"), tmp_path / "run", volumes=tmp_path)


def test_fusion_without_its_plane_bundle_says_which_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vol2vol.bundles.library.bundle_folders", list)
    with pytest.raises(SettingsError, match="train recipe sr4-t1-planes first"):
        train(load_recipe("sr4-t1-fusion").dry(), tmp_path / "sr4-t1-fusion")


def test_weights_above_16_mib_are_refused_and_leave_the_bundle_of_before_alone(tmp_path, monkeypatch):
    from napari_vol2vol.networks.unet import UNet
    from tiny_bundles import PLANE

    recipe = load_recipe("sr4-t1-planes")
    facts = {"scale": 0.2, "steps": 1, "seconds": 0.0, "requires": {}}
    folder = export_bundle(recipe, UNet(PLANE), PLANE, tmp_path / "bundle", **facts)
    monkeypatch.setattr("napari_vol2vol.training.export.MAX_BYTES", 1000)
    with pytest.raises(BundleError, match="MiB, accepted are at most 16 MiB"):
        export_bundle(recipe, UNet(PLANE), PLANE, folder, **facts)
    verify_bundle(read_card(folder))
    assert sorted(f.name for f in folder.iterdir()) == ["metadata.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("speed: 3", "recipe: unknown fields speed; known are .*batch"),
        ("loop: {steps: 3, rate: 1}", "recipe section loop: unknown fields rate; known are .*lr"),
        ("pool: {size: 1}", "recipe section pool: unknown fields size"),
        ("phases: [{crop: 8, batch: 1, steps: 1, depth: 2}]", "recipe section phases: unknown fields depth"),
        ("stage: magic", "recipe stage: found 'magic', accepted are planes, fusion, regression"),
        ("extends: magic", "recipe extends: found 'magic', shipped are .*sr4-t1-planes"),
        (
            "extends: ct-contrast-flow-swinunetr\ncrop: 96",
            "recipe crop: found 96, network swinunetr compact accepts multiples of 64",
        ),
    ],
)
def test_a_mistake_in_a_recipe_is_named(tmp_path, change, message):
    path = tmp_path / "mine.yaml"
    stage = "" if change.startswith(("stage", "extends")) else "stage: planes\n"
    path.write_text(f"name: mine\n{stage}{change}\n")
    with pytest.raises(SettingsError, match=message):
        load_recipe(path)


def test_a_recipe_that_extends_another_differs_in_what_it_says_itself_alone(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: ct-contrast-flow-unet\nname: mine\nloop: {steps: 7}\n")
    mine, other = load_recipe(path), load_recipe("ct-contrast-flow-unet")
    assert (mine.name, mine.network, mine.stage) == ("mine", "unet", "flow")
    assert mine == replace(other, name="mine", loop=replace(other.loop, steps=7))


def test_unknown_recipes_are_named_with_those_that_are_shipped(tmp_path):
    with pytest.raises(SettingsError, match=r"'magic', shipped are .*sr4-t1-fusion, .*sr4-t1-planes"):
        load_recipe("magic")
    with pytest.raises(SettingsError, match=r"nowhere\.yaml does not exist"):
        load_recipe(tmp_path / "nowhere.yaml")


def test_an_ensemble_is_a_card_without_weights_over_those_of_its_branches(dry_runs):
    card = read_card(dry_runs / "sr4-t1-tosm" / "sr4-t1-tosm")
    planes, coronal = (read_card(dry_runs / n / n) for n in ("sr4-t1-planes", "sr4-t1-coronal"))
    assert card.weights == {}
    assert card.requires == {c.name: c.weights["model.safetensors"] for c in (planes, coronal)}
    assert [plane for _, plane in card.branches] == ["axial", "coronal", "sagittal"]
    assert card.diffusion == planes.diffusion


def test_an_ensemble_of_nothing_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"recipe .*: (branches: found none|a fusion stage needs)"):
        train(replace(load_recipe("sr4-t1-tosm"), branches=()), tmp_path)
