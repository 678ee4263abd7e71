"""Fixtures that several rooms share; helpers come from their folder (`from sampling.gaussian import ...`)."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def tiny_bundle_folder(tmp_path_factory):
    from tiny_bundles import make_bundles

    return make_bundles(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def tiny_bundles(tiny_bundle_folder, monkeypatch):
    """Search the tiny bundles first; they carry the names of the shipped ones."""
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(tiny_bundle_folder))
    return tiny_bundle_folder


@pytest.fixture(scope="session")
def head():
    """A smooth head-like volume, 32 x 36 x 40 voxels of 1 mm, with values 0 to about 100."""
    from napari_vol2vol.volume import Volume

    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in (32, 36, 40)], indexing="ij")
    radius = np.sqrt((z / 0.9) ** 2 + (y / 0.85) ** 2 + (x / 0.8) ** 2)
    texture = np.sin(9 * x) * np.cos(8 * y) * np.sin(7 * z + 1)
    data = np.where(radius < 1, 60 + 30 * texture, 2).astype(np.float32)
    return Volume.from_array(data, name="head", modality="T1w")
