import json
import os
import shutil

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles import check_fit, find_bundle, library, list_bundles, verify_bundle
from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.library import required_bundles
from napari_vol2vol.bundles.weights import load_fusion, load_unet
from napari_vol2vol.errors import BundleError
from napari_vol2vol.volume import Volume

TASK, CPU = "super-resolution", torch.device("cpu")
NAMES = ("sr4-t1-fusion", "sr4-t1-planes", "sr4-t1-regression")


@pytest.fixture
def copied(tiny_bundle_folder, tmp_path, monkeypatch):
    """A writable copy of the tiny bundles; only the folders of ``VOL2VOL_BUNDLES`` are searched."""
    folder = tmp_path / "bundles"
    shutil.copytree(tiny_bundle_folder, folder)
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(folder))
    listed = library.bundle_folders
    monkeypatch.setattr(library, "bundle_folders", lambda: listed()[:-2])
    return folder


def edit(folder, change):
    path = folder / "metadata.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_written_bundle_reads_back_verifies_and_loads(copied, name):
    card = read_card(copied / name)
    assert card.name == name
    assert card.spacing_mm == ((3.4,) * 3, (5.0,) * 3)
    verify_bundle(card)
    network = (load_fusion if name.endswith("fusion") else load_unet)(card, CPU)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("field", ["name", "title", "licence", "version"])
def test_a_card_error_names_the_missing_field(copied, field):
    edit(copied / NAMES[1], lambda card: card.pop(field))
    with pytest.raises(BundleError, match=rf"sr4-t1-planes.*field '{field}' is missing"):
        read_card(copied / NAMES[1])


@pytest.mark.parametrize("field", ["task", "systems", "weights", "network", "input_spacing_mm", "requires"])
def test_a_card_error_names_the_missing_field_of_this_projects_part(copied, field):
    edit(copied / NAMES[1], lambda card: card["vol2vol"].pop(field))
    with pytest.raises(BundleError, match=rf"field '{field}' is missing"):
        read_card(copied / NAMES[1])


def test_a_card_that_is_not_json_or_not_there_is_an_error_of_this_project(copied, tmp_path):
    (copied / NAMES[1] / "metadata.json").write_text("{not json")
    with pytest.raises(BundleError, match=r"metadata\.json cannot be read"):
        read_card(copied / NAMES[1])
    with pytest.raises(BundleError, match=r"metadata\.json is missing"):
        read_card(tmp_path)


def test_a_damaged_card_hides_its_bundle_and_no_other(copied):
    (copied / NAMES[1] / "metadata.json").write_text("[]")
    assert [c.name for c in list_bundles() if c.path.parent == copied] == [NAMES[0], NAMES[2]]


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_byte_is_found_before_the_weights_are_used(copied, name):
    flip_a_byte(copied / name / "model.safetensors")
    card = read_card(copied / name)
    with pytest.raises(BundleError, match=rf"{name}: model\.safetensors has sha256"):
        verify_bundle(card)
    with pytest.raises(BundleError, match="sha256"):
        (load_fusion if name.endswith("fusion") else load_unet)(card, CPU)


def test_a_missing_weight_file_is_named(copied):
    (copied / NAMES[1] / "model.safetensors").unlink()
    with pytest.raises(BundleError, match=r"weight file model\.safetensors is missing"):
        verify_bundle(read_card(copied / NAMES[1]))


def test_weights_that_do_not_fit_the_network_of_the_card_are_refused(copied):
    edit(copied / NAMES[1], lambda card: card["vol2vol"]["network"].update(channels=[16, 48]))
    with pytest.raises(BundleError, match="weights do not fit the network of its card"):
        load_unet(read_card(copied / NAMES[1]), CPU)


def test_fusion_finds_the_plane_bundle_beside_it(copied):
    assert required_bundles(read_card(copied / NAMES[0]))[NAMES[1]].path == copied / NAMES[1]


def test_fusion_finds_the_plane_bundle_where_training_leaves_it_and_passes_over_other_weights(
    copied, tmp_path
):
    runs = tmp_path / "runs"
    for name in NAMES[:2]:
        shutil.copytree(copied / name, runs / name / name)
    shutil.rmtree(copied / NAMES[0])
    edit(copied / NAMES[1], lambda card: card["vol2vol"].update(weights={"model.safetensors": "0" * 64}))
    required = required_bundles(read_card(runs / NAMES[0] / NAMES[0]))
    assert required[NAMES[1]].path == runs / NAMES[1] / NAMES[1]


def test_fusion_refuses_other_plane_weights_than_those_it_was_trained_on(copied):
    shutil.copy(copied / NAMES[2] / "model.safetensors", copied / NAMES[1] / "model.safetensors")
    digest = next(iter(read_card(copied / NAMES[2]).weights.values()))
    edit(copied / NAMES[1], lambda card: card["vol2vol"].update(weights={"model.safetensors": digest}))
    verify_bundle(read_card(copied / NAMES[1]))
    with pytest.raises(BundleError, match="was trained on other weights of bundle sr4-t1-planes"):
        required_bundles(read_card(copied / NAMES[0]))


def test_a_required_bundle_that_is_not_there_is_named(copied):
    shutil.rmtree(copied / NAMES[1])
    with pytest.raises(BundleError, match="needs bundle sr4-t1-planes, which is not installed"):
        required_bundles(read_card(copied / NAMES[0]))


def test_a_card_that_builds_on_nothing_requires_nothing(copied):
    assert required_bundles(read_card(copied / NAMES[1])) == {}


@pytest.mark.parametrize(
    ("system", "name"), [("score-fusion", 0), ("tpdm", 1), ("palette", 1), ("unet-3d", 2)]
)
def test_the_default_bundle_is_one_that_serves_the_system(copied, system, name):
    assert find_bundle(None, TASK, system).path == copied / NAMES[name]
    assert [c.name for c in list_bundles(TASK, system)] == [NAMES[name]]


def test_a_bundle_is_found_by_name_and_by_folder(copied, tmp_path):
    elsewhere = tmp_path / "mine"
    shutil.copytree(copied / NAMES[1], elsewhere)
    assert find_bundle(NAMES[1], TASK, "tpdm").path == copied / NAMES[1]
    assert find_bundle(str(elsewhere), TASK, "tpdm").path == elsewhere


def test_requests_that_no_bundle_serves_say_what_there_is(copied):
    with pytest.raises(BundleError, match=r"found 'nothing', installed are .*sr4-t1-fusion"):
        find_bundle("nothing", TASK, "tpdm")
    with pytest.raises(BundleError, match="serves task super-resolution with palette, tpdm, not"):
        find_bundle(NAMES[1], TASK, "unet-3d")
    with pytest.raises(BundleError, match="no bundle for task 'super-resolution' and system 'magic'"):
        find_bundle(None, TASK, "magic")


def test_the_first_folder_wins_where_two_hold_a_bundle_of_one_name(copied, tmp_path, monkeypatch):
    second = tmp_path / "second"
    shutil.copytree(copied, second)
    monkeypatch.setenv("VOL2VOL_BUNDLES", os.pathsep.join([str(second), str(copied)]))
    assert find_bundle(NAMES[1], TASK, "tpdm").path.parent == second


def test_bundles_are_searched_in_the_users_folders_before_the_packaged_ones(monkeypatch, tmp_path):
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(tmp_path))
    first, second, packaged = library.bundle_folders()
    assert first == tmp_path
    assert second.parts[-2:] == ("napari-vol2vol", "bundles")
    assert packaged.parts[-3:] == ("napari_vol2vol", "bundles", "data")


def volume(**changes):
    settings = {"spacing_mm": (4.0, 4.0, 4.0), "modality": "T1w", "name": "v", **changes}
    return Volume.from_array(np.linspace(0, 100, 64).reshape(4, 4, 4), **settings)


def test_a_volume_like_the_training_ones_brings_no_warning(copied):
    assert check_fit(read_card(copied / NAMES[1]), volume()) == []


def test_each_way_of_not_fitting_is_one_plain_sentence(copied):
    card = read_card(copied / NAMES[1])
    (spacing,) = check_fit(card, volume(spacing_mm=(4.0, 1.0, 4.0)))
    assert "spacing 4.00 × 1.00 × 4.00 mm (z, y, x) is outside the trained range 3.4–5" in spacing
    assert check_fit(card, volume(modality="CT")) == ["modality CT: the bundle was trained on T1w"]
    assert check_fit(card, volume(modality=None)) == ["modality unknown; the bundle was trained on T1w"]
    (negative,) = check_fit(card, volume().with_data(volume().data - 40))
    assert "negative intensities" in negative
    assert len(check_fit(card, Volume.from_array(volume().data - 40))) == 3


@pytest.mark.parametrize("spacing", [3.4, 5.0])
def test_the_ends_of_the_trained_range_belong_to_it(copied, spacing):
    assert check_fit(read_card(copied / NAMES[1]), volume(spacing_mm=(spacing,) * 3)) == []


def sibling(copied, name, **changes):
    shutil.copytree(copied / NAMES[1], copied / name)

    def change(card):
        card["name"] = name
        card["vol2vol"].update(changes)

    edit(copied / name, change)


def test_the_default_bundle_names_the_system_first_and_has_the_most_planes(copied):
    sibling(copied, "a-coronal", planes=["coronal"], systems=["palette"])
    sibling(copied, "b-second", systems=["tpdm", "palette"], planes=["axial", "coronal", "sagittal"])
    assert [c.name for c in list_bundles(TASK, "palette")] == [NAMES[1], "a-coronal", "b-second"]


def test_of_velocity_networks_the_default_sees_the_most_of_its_source(copied):
    own = read_card(copied / NAMES[1])
    for name, seen in (("y-alone", 0), ("z-neighbours", 3)):
        network = {**own.network, "family": "time-resnet", "in_channels": 1 + seen}
        sibling(copied, name, systems=["mfm"], network=network)
    assert [c.name for c in list_bundles(TASK, "mfm")] == ["z-neighbours", "y-alone"]


def test_the_default_bundle_is_one_for_the_modality_at_hand(copied):
    sibling(copied, "a-flair", modality=["FLAIR"], target="FLAIR")
    assert find_bundle(None, TASK, "tpdm").name == NAMES[1]
    assert find_bundle(None, TASK, "tpdm", ["FLAIR"]).name == "a-flair"
    assert find_bundle(None, TASK, "tpdm", ["T2w"]).name == NAMES[1]


def test_a_card_from_before_conditions_were_named_means_the_base(copied):
    def strip(card):
        for key in ("inputs", "target", "branches"):
            card["vol2vol"].pop(key, None)

    edit(copied / NAMES[1], strip)
    card = read_card(copied / NAMES[1])
    assert (card.inputs, card.target, card.branches) == (("base",), "T1w", ())
