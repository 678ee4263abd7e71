import numpy as np
import pytest

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.metrics import comparison
from napari_vol2vol.metrics.comparison import compare
from napari_vol2vol.metrics.fidelity import fidelity
from napari_vol2vol.metrics.information import BINS, mutual_information
from napari_vol2vol.metrics.multi_scale import ms_ssim
from napari_vol2vol.volume import Volume

SHAPE = (22, 24, 26)


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    truth = rng.normal(50, 10, SHAPE)
    return tuple(
        Volume.from_array(v, name=n) for v, n in [(truth + rng.normal(0, 4, SHAPE), "x"), (truth, "truth")]
    )


def test_every_figure_is_that_of_its_own_function(pair, monkeypatch):
    monkeypatch.setattr(comparison, "MS_SSIM_WEIGHTS", (0.4, 0.6))
    monkeypatch.setattr(comparison, "ms_ssim", lambda *a: ms_ssim(*a, (0.4, 0.6)))
    x, truth = pair
    result = compare(x, truth, data_range=70)
    assert result.fidelity == fidelity(x, truth, data_range=70)
    assert result.ms_ssim == ms_ssim(x.data, truth.data, 70, (0.4, 0.6))
    assert result.ms_ssim_missing is None
    assert result.mutual_information == mutual_information(x.data, truth.data, BINS)


def test_a_volume_too_small_for_five_scales_has_no_ms_ssim_and_says_why(pair):
    figures = compare(*pair).as_dict()
    assert figures["ms_ssim"] is None
    assert "(22, 24, 26) is too small for 5 scales, which need 176 voxels" in figures["ms_ssim_missing"]


def test_the_dictionary_keeps_the_figures_of_fidelity_under_their_names(pair):
    figures = compare(*pair).as_dict()
    assert figures.items() >= fidelity(*pair).as_dict().items()
    assert figures["mutual_information"] > 0
    assert figures["mutual_information_bins"] == BINS


def test_a_mask_counts_for_the_information_and_leaves_ms_ssim_out(pair):
    x, truth = pair
    inside = np.zeros(SHAPE)
    inside[:9] = 1
    result = compare(x, truth, mask=truth.with_data(inside))
    assert result.fidelity.voxels == inside.sum()
    assert result.mutual_information == mutual_information(x.data[:9], truth.data[:9], BINS)
    assert "a mask is given" in result.ms_ssim_missing


def test_another_grid_is_refused(pair):
    x, truth = pair
    with pytest.raises(VolumeError, match="found shape"):
        compare(x, truth.with_data(truth.data[1:], affine=truth.affine))
