from __future__ import annotations

import time

import numpy as np
import pytest

from napari_vol2vol.engine import Done, Translation, translate
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.io import read_volume
from napari_vol2vol.samples import sample_folder
from napari_vol2vol.systems.registry import get_system
from napari_vol2vol.tasks import get_task
from napari_vol2vol.volume import Volume


def run(low, reference=None, **settings):
    values = {"system": "gaussian", "steps": 20, "device": "cpu", **settings}
    *_, done = translate(Translation(**values), low, reference=reference)
    assert isinstance(done, Done)
    return done


@pytest.fixture(scope="module")
def low(head):
    return get_task("super-resolution").degrade(head)


def test_the_bundled_sample_takes_less_than_10_seconds():
    low = read_volume(sample_folder() / "colin27_T1w_block_low.nii.gz")
    begin = time.monotonic()
    done = run(low)
    assert time.monotonic() - begin < 10
    assert done.volumes["x0"].shape == tuple(4 * n for n in low.shape)
    assert done.metrics["data_residual"] < 1e-5


def test_the_mean_of_samples_is_better_than_a_sample_by_their_own_variance(head, low):
    """|x - r|^2 exceeds |mean - r|^2 by v (1 - 1/N), whatever the truth r is."""
    done = run(low, head, samples=8)
    square = done.metrics["data_range"] ** 2
    single, mean = (square * 10 ** (-done.metrics[f"psnr_{what}"] / 10) for what in ("single", "mean"))
    variance = float(np.square(done.volumes["uncertainty"].data).mean())
    assert single - mean == pytest.approx(variance * 7 / 8, rel=0.2)
    assert variance > 0.05 * single


def test_without_consistency_it_is_another_volume(low):
    assert run(low, consistency=False).metrics["data_residual"] > 0.1


@pytest.mark.parametrize("model", ["axial", "planes"])
def test_a_model_of_one_plane_has_stripes_that_the_average_of_three_has_less(low, model):
    def flicker(volume):
        inside = volume.data[4:-4, 4:-4, 4:-4]
        return [float(np.abs(np.diff(inside, n=2, axis=a)).mean()) for a in range(3)]

    one, three = (flicker(run(low, options={"model": m}).volumes["x0"]) for m in ("axial", "planes"))
    assert one[0] > 1.5 * max(one[1:])
    assert max(three) < one[0] / 1.5


def test_the_most_likely_spread_is_found(low):
    """On a draw of the model itself, the spread it was drawn with."""
    drawn = run(low, consistency=False, options={"spread": 0.4, "length": 2.0}, steps=60).volumes["x0"]
    source = get_task("super-resolution").degrade(Volume.from_array(drawn.data))
    given = {"length": 2.0}
    auto = run(source, samples=4, options=given).volumes["uncertainty"].data
    scale = float(np.percentile(source.data, 99.5)) / float(np.percentile(low.data, 99.5))
    stated = run(source, samples=4, options={**given, "spread": 0.4 / scale}).volumes["uncertainty"].data
    assert float(auto.mean() / stated.mean()) == pytest.approx(1, abs=0.15)


def test_other_tasks_are_refused_and_options_named():
    assert "gaussian" not in get_task("modality-translation").systems
    options = {o.name: o for o in get_system("gaussian").options}
    with pytest.raises(SettingsError, match="model: found 'oblique', accepted are volume, planes, axial"):
        options["model"].check("oblique")
