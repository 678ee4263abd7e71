import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.metrics.fidelity import (
    PERCENTILE,
    default_data_range,
    fidelity,
    mean_absolute_error,
    mean_squared_error,
    psnr,
)
from napari_vol2vol.volume import Volume

SHAPE = (20, 24, 28)


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(*[np.linspace(0, 6, n) for n in SHAPE], indexing="ij")
    truth = 50 + 30 * np.sin(x) * np.cos(y) * np.sin(z)
    return tuple(
        Volume.from_array(v, name=n) for v, n in [(truth + rng.normal(0, 4, SHAPE), "x"), (truth, "truth")]
    )


def ssim_settings(data_range):
    return {
        "data_range": data_range, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False,
    }  # fmt: skip


@pytest.mark.parametrize("data_range", [None, 80.0])
def test_psnr_and_mae_are_those_of_scikit_image_and_numpy(pair, data_range):
    x, truth = pair
    result = fidelity(x, truth, data_range=data_range)
    peak = np.percentile(truth.data, 99.5) - truth.data.min() if data_range is None else data_range
    assert result.data_range == pytest.approx(peak)
    expected = peak_signal_noise_ratio(truth.data.astype(float), x.data.astype(float), data_range=peak)
    assert result.psnr == pytest.approx(expected, abs=1e-4)
    assert result.mae == pytest.approx(np.abs(x.data - truth.data).mean(), rel=1e-5)
    assert result.voxels == np.prod(SHAPE)


def test_ssim_inside_is_the_ssim_of_scikit_image(pair):
    """Scikit-image leaves half a window at the border out of its mean; so does the mask here."""
    x, truth = pair
    inside = np.zeros(SHAPE)
    inside[5:-5, 5:-5, 5:-5] = 1
    result = fidelity(x, truth, mask=truth.with_data(inside), data_range=80)
    expected = structural_similarity(truth.data, x.data, **ssim_settings(80))
    assert result.ssim == pytest.approx(expected, abs=1e-4)


def test_ssim_without_a_mask_is_the_mean_of_the_whole_map(pair):
    x, truth = pair
    _, whole = structural_similarity(truth.data, x.data, full=True, **ssim_settings(80))
    assert fidelity(x, truth, data_range=80).ssim == pytest.approx(whole.mean(), abs=1e-4)


def test_only_the_voxels_of_the_mask_count(pair):
    x, truth = pair
    mask = np.zeros(SHAPE)
    mask[:10] = 1
    spoilt = x.data.copy()
    spoilt[16:] = -1e4  # beyond the reach of the SSIM window as well
    result = fidelity(x.with_data(spoilt), truth, mask=truth.with_data(mask), data_range=80)
    assert result.voxels == mask.sum()
    assert result.psnr == pytest.approx(
        peak_signal_noise_ratio(truth.data[:10], x.data[:10], data_range=80), abs=1e-4
    )
    assert result.ssim == pytest.approx(
        fidelity(x, truth, mask=truth.with_data(mask), data_range=80).ssim, abs=1e-5
    )


def test_a_volume_equals_itself(pair):
    result = fidelity(pair[1], pair[1])
    assert (result.psnr, result.mae) == (float("inf"), 0)
    assert result.ssim == pytest.approx(1)


def test_a_constant_reference_has_a_data_range_all_the_same():
    assert default_data_range(np.full((3, 3, 3), 5, np.float32)) == 1


def test_grids_that_differ_and_empty_masks_and_small_volumes_are_refused(pair):
    x, truth = pair
    with pytest.raises(VolumeError, match=r"reference truth: found shape .*resample"):
        fidelity(x, truth.with_data(truth.data[:-1], affine=truth.affine))
    moved = truth.affine.copy()
    moved[0, 3] += 1
    with pytest.raises(VolumeError, match=r"voxels up to 1 mm away"):
        fidelity(x, truth.with_data(truth.data, affine=moved))
    with pytest.raises(VolumeError, match=r"shape \(20, 24, 27\)"):
        fidelity(x, truth, mask=truth.with_data(truth.data[..., :-1], affine=truth.affine))
    with pytest.raises(VolumeError, match=r"no voxel above 0\.5"):
        fidelity(x, truth, mask=truth.with_data(np.zeros(SHAPE)))
    small = truth.with_data(truth.data[:10], affine=truth.affine)
    with pytest.raises(VolumeError, match="at least 11 voxels"):
        fidelity(small, small)


def test_the_peak_is_the_stated_percentile_minus_the_minimum():
    values = np.arange(-100, 901, dtype=np.float32).reshape(7, 11, 13)
    assert PERCENTILE == 99.5
    assert default_data_range(values) == pytest.approx(995)


def test_one_constant_difference_has_its_closed_forms():
    x, truth = np.full((3, 4, 5), 7, np.float32), np.full((3, 4, 5), 5, np.float32)
    assert mean_squared_error(x, truth) == pytest.approx(4)
    assert mean_absolute_error(x, truth) == pytest.approx(2)
    assert psnr(x, truth, 200.0) == pytest.approx(40)


def test_the_sums_of_a_large_volume_are_not_rounded_in_float32():
    difference = np.full(3_000_001, 0.1, np.float32)
    found = mean_squared_error(difference, np.zeros_like(difference))
    assert found == pytest.approx(float(np.square(np.float32(0.1))), rel=1e-9)
    assert mean_absolute_error(difference, np.zeros_like(difference)) == pytest.approx(
        float(np.float32(0.1)), rel=1e-9
    )
