import numpy as np
import pytest
from skimage.measure import block_reduce
from skimage.metrics import structural_similarity

from napari_vol2vol.metrics.arrays import MetricError
from napari_vol2vol.metrics.multi_scale import MS_SSIM_WEIGHTS, ms_ssim, smallest_axis

WEIGHTS = (0.2, 0.3, 0.5)
PEAK = 80.0


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    shape = (44, 46, 50)
    z, y, x = np.meshgrid(*[np.linspace(0, 9, n) for n in shape], indexing="ij")
    truth = 50 + 30 * np.sin(x) * np.cos(y) * np.sin(z)
    return (0.9 * truth + rng.normal(0, 6, shape)).astype(np.float32), truth.astype(np.float32)


def halved(volume):
    """Average 2 x 2 x 2 voxels, leaving an odd one out, as average pooling does."""
    even = tuple(slice(0, n - n % 2) for n in volume.shape)
    return block_reduce(volume[even], 2, np.mean).astype(np.float32)


def scikit_image(x, truth, K1):
    return structural_similarity(
        truth.astype(float), x.astype(float), data_range=PEAK, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, K1=K1,
    )  # fmt: skip


def test_it_is_the_product_of_scikit_images_terms_at_each_scale(pair):
    """A huge K1 makes the luminance term 1, which leaves contrast and structure."""
    x, truth = pair
    expected = 1.0
    for scale, weight in enumerate(WEIGHTS):
        last = scale == len(WEIGHTS) - 1
        expected *= scikit_image(x, truth, 0.01 if last else 1e6) ** weight
        x, truth = halved(x), halved(truth)
    assert 0.3 < expected < 0.95
    assert ms_ssim(*pair, PEAK, WEIGHTS) == pytest.approx(expected, abs=1e-4)


def test_one_scale_is_plain_ssim(pair):
    assert ms_ssim(*pair, PEAK, (1.0,)) == pytest.approx(scikit_image(*pair, 0.01), abs=1e-4)


def test_a_volume_equals_itself_and_noise_hurts(pair):
    x, truth = pair
    assert ms_ssim(truth, truth, PEAK, WEIGHTS) == pytest.approx(1)
    noisier = x + np.random.default_rng(1).normal(0, 10, x.shape).astype(np.float32)
    assert ms_ssim(noisier, truth, PEAK, WEIGHTS) < ms_ssim(x, truth, PEAK, WEIGHTS) < 1


def test_the_exponents_are_those_of_the_paper():
    assert MS_SSIM_WEIGHTS == (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    assert sum(MS_SSIM_WEIGHTS) == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize(("scales", "voxels"), [(1, 11), (2, 22), (3, 44), (4, 99), (5, 176)])
def test_too_short_an_axis_is_refused_and_the_shortest_is_not(scales, voxels):
    assert smallest_axis(scales) == voxels
    short = np.zeros((voxels - 1, voxels, voxels), np.float32)
    with pytest.raises(MetricError, match=f"at least {voxels} voxels"):
        ms_ssim(short, short, 1.0, (1.0,) * scales)
    if scales <= 3:
        smallest = np.zeros((voxels,) * 3, np.float32)
        assert ms_ssim(smallest, smallest, 1.0, (1.0,) * scales) == pytest.approx(1)


def test_shapes_that_differ_are_refused(pair):
    with pytest.raises(MetricError, match="shapes: found x"):
        ms_ssim(pair[0], pair[1][1:], PEAK)
