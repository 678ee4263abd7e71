from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import structural_similarity

from napari_vol2vol.metrics.arrays import MetricError
from napari_vol2vol.metrics.coherence import coherence, high_frequency, shimmer
from napari_vol2vol.metrics.slice_profiles import adjacent_ssim, second_difference
from napari_vol2vol.phantoms.torso_ct import make_torso_pair

SPACING = (2.0, 2.0, 2.0)
NOISE = 10.0
SLABS = [(0, i) for i in range(16, 64, 16)]


@pytest.fixture(scope="module")
def anatomy():
    pair = make_torso_pair(77, (64, 128, 160), SPACING, noise=0.0)
    return np.asarray(np.clip(pair.native, -1000, 1000), np.float32)


def noisy(volume, seed):
    rng = np.random.default_rng(seed)
    return (volume + NOISE * rng.standard_normal(volume.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def reference(anatomy):
    return noisy(anatomy, 0)


def brightness_jitter(v, rng):
    return v + rng.normal(0, 5, (len(v), 1, 1)).astype(np.float32)


def texture(v, rng):
    grain = ndimage.gaussian_filter(rng.standard_normal(v.shape), (0, 1.5, 1.5))
    return v + (12 * grain / grain.std()).astype(np.float32)


def in_plane_jitter(v, rng):
    shifts = rng.choice([-0.5, 0.5], (len(v), 2))
    return np.stack([ndimage.shift(s, d, order=3, mode="nearest") for s, d in zip(v, shifts, strict=True)])


def over_smoothed(v, rng):
    return ndimage.gaussian_filter(v, (1.5, 0, 0))


def bad_slice(v, rng):
    out = v.copy()
    out[37] += 25
    return out


def slabs(v, rng):
    steps = np.where(np.arange(len(v)) // 16 % 2, 8, -8).astype(np.float32)
    return v + steps[:, None, None]


DEFECTS = {
    "brightness jitter": (brightness_jitter, "slice medians"),
    "texture": (texture, "high frequency"),
    "in-plane jitter": (in_plane_jitter, "profiles"),
    "over-smoothing": (over_smoothed, "high frequency"),
    "bad slice": (bad_slice, "slice medians"),
    "slabs": (slabs, "boundaries"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_planted_defects_are_flagged_by_the_panel_made_for_them(name, anatomy, reference):
    plant, panel = DEFECTS[name]
    defective = noisy(anatomy, 1) if name in ("bad slice", "slabs", "brightness jitter") else anatomy
    volume = plant(defective, np.random.default_rng(2)).astype(np.float32)
    if defective is anatomy and name != "over-smoothing":
        volume = noisy(volume, 1)
    if name == "over-smoothing":
        volume = over_smoothed(noisy(anatomy, 1), None)
    found = coherence(volume, reference, SPACING, boundaries=SLABS).findings
    assert panel in {f.panel for f in found if f.axis == 0}


def test_a_clean_twin_with_other_noise_gets_no_flag(anatomy, reference):
    assert coherence(noisy(anatomy, 1), reference, SPACING, boundaries=SLABS).findings == ()


def test_the_bad_slice_is_found_at_its_place(anatomy, reference):
    volume = bad_slice(noisy(anatomy, 1), None)
    assert coherence(volume, reference, SPACING).flagged_slices == [(0, 37)]


def test_over_smoothing_lies_below_one_and_flicker_above(anatomy, reference):
    def ratio(volume):
        held = coherence(volume.astype(np.float32), reference, SPACING)
        return held.volume[0].power / held.reference[0].power

    assert ratio(over_smoothed(noisy(anatomy, 1), None)) < 0.8
    assert ratio(noisy(texture(anatomy, np.random.default_rng(2)), 1)) > 1.2


def test_mean_adjacent_ssim_alone_rewards_blur_and_misses_the_bad_slice(anatomy):
    clean = noisy(anatomy, 1)
    span = float(np.ptp(clean))
    volumes = {"clean": clean, "bad": bad_slice(clean, None), "smooth": over_smoothed(clean, None)}
    score = {name: adjacent_ssim(v, 0, span).mean() for name, v in volumes.items()}
    assert score["smooth"] > score["clean"]
    assert abs(score["bad"] - score["clean"]) < 0.01


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ssim_of_neighbours_is_that_of_scikit_image(axis):
    volume = np.random.default_rng(0).normal(100, 20, (9, 12, 40)).astype(np.float32)
    stack = np.moveaxis(volume, axis, 0)
    theirs = [structural_similarity(a, b, data_range=50.0) for a, b in pairwise(stack)]
    np.testing.assert_allclose(adjacent_ssim(volume, axis, 50.0), theirs, atol=2e-5)


def test_the_second_difference_of_a_line_is_zero():
    values = second_difference(np.arange(6, dtype=np.float32))
    assert np.isnan(values[[0, -1]]).all()
    np.testing.assert_allclose(values[1:-1], 0)


def test_high_frequency_ignores_what_is_constant_along_the_axis():
    volume = np.broadcast_to(np.random.default_rng(0).normal(size=(1, 8, 9)), (7, 8, 9)).astype(np.float32)
    np.testing.assert_allclose(high_frequency(volume, 0, SPACING), 0, atol=1e-6)


def test_shimmer_is_where_slices_flicker():
    rng = np.random.default_rng(0)
    volume = np.zeros((20, 30, 40), np.float32)
    volume[:, :, 25:] = rng.normal(size=(20, 1, 1))
    energy = shimmer(volume, 0, (1.0, 1.0, 1.0), 2.0)
    assert energy[10, 15, 34] > 20 * energy[10, 15, 6]


def test_other_shapes_and_seams_outside_are_refused(reference):
    with pytest.raises(MetricError, match="shapes"):
        coherence(reference, reference[1:], SPACING)
    with pytest.raises(MetricError, match="boundaries: found slice 64 of axis 0"):
        coherence(reference, reference, SPACING, boundaries=[(0, 64)])
