import os
import pickle
import warnings

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.weights import load_segresnet
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.evaluation.features import (
    CUBE,
    cubes_of,
    load_features,
    segmentation_features,
    torchscript_features,
)
from segmentation_bundles import TINY, make_segmentation_bundle


class Halves(torch.nn.Module):
    """Mean and standard deviation of both halves of a volume: two rows of two features."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        halves = torch.stack(x[0, 0].chunk(2))
        return torch.stack([halves.mean(dim=(1, 2, 3)), halves.std(dim=(1, 2, 3))], 1)


class Summed(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum()


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def script(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), str(path))
    return path


@pytest.fixture
def card(tmp_path):
    return read_card(make_segmentation_bundle(tmp_path / "bundles"))


def test_cubes_tile_the_middle_and_do_not_overlap():
    volume = np.arange(64 * 70 * 40, dtype=np.float32).reshape(64, 70, 40)
    cubes = cubes_of(volume)
    assert [c.shape for c in cubes] == [(CUBE,) * 3] * 4
    seen = np.concatenate([c.ravel() for c in cubes])
    assert len(np.unique(seen)) == len(seen)
    assert np.array_equal(cubes[0], volume[:32, 3:35, 4:36])
    assert np.array_equal(cubes[-1], volume[32:, 35:67, 4:36])


def test_a_short_axis_is_continued_by_its_border():
    volume = np.random.default_rng(0).random((20, 32, 32), dtype=np.float32)
    (cube,) = cubes_of(volume)
    assert np.array_equal(cube[6:26], volume)
    assert np.array_equal(cube[0], volume[0])
    assert np.array_equal(cube[-1], volume[-1])


def test_default_features_are_the_encoders_of_a_cube_in_both_channels(card):
    volume = np.random.default_rng(0).uniform(-0.1, 1.2, (64, 32, 32)).astype(np.float32)
    features = segmentation_features(card)
    found = features(volume)
    assert found.shape == (2, TINY.width)
    network = load_segresnet(card, torch.device("cpu"))
    x = torch.from_numpy(2 * np.clip(volume[32:], 0, 1) - 1)
    with torch.no_grad():
        wanted = network.features(torch.stack([x, x])[None])
    assert np.allclose(found[1], wanted[0], atol=1e-5)


def test_the_name_says_whose_features_how_many_and_of_what(card, tmp_path):
    name = segmentation_features(card).name
    assert name.startswith(f"features of vol2vol brain-regions encoder, d = {TINY.width}, not Inception")
    assert "32³ cube, cubes do not overlap" in name
    own = read_card(make_segmentation_bundle(tmp_path / "own", "my-regions"))
    assert segmentation_features(own).name.startswith("features of bundle my-regions encoder, d = 16")


def test_none_default_and_a_folder_can_be_chosen(card, monkeypatch):
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(card.path.parent))
    volume = np.random.default_rng(0).random((32, 32, 32), dtype=np.float32)
    assert load_features("none") is None
    default, folder = load_features("default"), load_features(str(card.path))
    assert default.name == folder.name
    assert np.array_equal(default(volume), folder(volume))


def test_without_the_default_bundle_the_message_names_its_recipe(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vol2vol.bundles.library.bundle_folders", lambda: [tmp_path])
    with pytest.raises(
        BundleError, match=r"features: default: .*'brain-regions'.*vol2vol train brain-regions"
    ):
        load_features("default")


def test_a_folder_of_another_task_is_refused(tiny_bundle_folder):
    with pytest.raises(BundleError, match="sr4-t1-planes serves task super-resolution, accepted is segment"):
        load_features(str(tiny_bundle_folder / "sr4-t1-planes"))


def test_a_torchscript_module_of_the_user_makes_its_own_rows(tmp_path):
    volume = np.random.default_rng(0).random((8, 6, 6), dtype=np.float32)
    features = load_features(str(script(Halves(), tmp_path / "mine.pt")))
    halves = volume[:4], volume[4:]
    wanted = [[h.mean(), h.std(ddof=1)] for h in halves]
    assert np.allclose(features(volume), wanted, atol=1e-6)
    assert features.name == "features of mine.pt, given by the user"


def test_an_answer_that_is_no_table_of_features_is_refused(tmp_path):
    features = torchscript_features(script(Summed(), tmp_path / "sum.pt"))
    with pytest.raises(
        SettingsError, match=r"sum\.pt answered with shape \(\), accepted is a tensor \(n, d\)"
    ):
        features(np.ones((4, 4, 4), np.float32))


def test_a_module_that_fails_on_the_volume_says_so(tmp_path):
    features = torchscript_features(script(torch.nn.Linear(3, 2), tmp_path / "linear.pt"))
    with pytest.raises(SettingsError, match=r"linear\.pt cannot take a volume of shape \(1, 1, 4, 4, 4\)"):
        features(np.ones((4, 4, 4), np.float32))


@pytest.mark.parametrize("kind", ["pickle", "torch", "inside-torchscript"])
def test_nothing_is_unpickled(tmp_path, kind):
    path, harm = tmp_path / "encoder.pt2", tmp_path / "harm"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Harmful(harm)))
    elif kind == "torch":
        torch.save(Harmful(harm), path)
    else:
        import zipfile

        with (
            zipfile.ZipFile(script(Halves(), tmp_path / "good.pt")) as good,
            zipfile.ZipFile(path, "w") as bad,
        ):
            for item in good.namelist():
                content = pickle.dumps(Harmful(harm), 2) if item.endswith("data.pkl") else good.read(item)
                bad.writestr(item, content)
    with pytest.raises(SettingsError, match=r"encoder\.pt2 is no TorchScript module"):
        load_features(str(path))
    assert not harm.exists()


def test_a_file_that_is_not_there_is_named_with_what_is_accepted(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.pt does not exist; accepted are none, default"):
        load_features(str(tmp_path / "nowhere.pt"))
