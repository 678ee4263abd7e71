from functools import lru_cache

import numpy as np
import pytest

from napari_vol2vol.phantoms.brain import TISSUES, make_anatomy, paint

SHAPE = (64, 64, 64)
CONTRASTS = ("T1w", "T1ce", "T2w", "FLAIR")


@lru_cache(maxsize=8)
def anatomy(seed, lesion):
    return make_anatomy(seed, SHAPE, lesion=lesion)


def tissue_means(image, head):
    """Mean intensity where a tissue is nearly pure."""
    return {
        name: float(image[p > 0.8].mean())
        for name, p in zip(TISSUES, head.tissues, strict=True)
        if p.max() > 0.9
    }


def test_the_same_seed_gives_the_same_head_and_another_seed_another():
    one, again, other = anatomy(3, False), make_anatomy(3, SHAPE, lesion=False), anatomy(4, False)
    assert np.array_equal(one.tissues, again.tissues)
    assert np.array_equal(one.texture, again.texture)
    assert np.abs(one.tissues - other.tissues).max() > 0.5
    assert np.array_equal(paint(one, "T1w", 7), paint(again, "T1w", 7))
    assert not np.array_equal(paint(one, "T1w", 7), paint(one, "T1w", 8))


def test_tissues_are_shares_that_add_up_to_about_one_inside_the_head():
    tissues = anatomy(3, False).tissues
    assert tissues.shape == (len(TISSUES), *SHAPE)
    assert tissues.dtype == np.float32
    assert tissues.min() >= 0
    total = tissues.sum(0)
    assert total.max() < 1.2  # the smoothed shells of the template overlap a little
    assert np.median(total) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("contrast", "order"),
    [
        ("T1w", ["wm", "gm", "csf"]),
        ("T1ce", ["wm", "gm", "csf"]),
        ("T2w", ["csf", "gm", "wm"]),
        ("FLAIR", ["gm", "wm", "csf"]),
    ],
)
def test_tissues_stand_in_the_order_of_their_contrast(contrast, order, seed):
    head = anatomy(3, False)
    means = tissue_means(paint(head, contrast, seed), head)
    assert sorted(order, key=means.__getitem__, reverse=True) == order


def test_fluid_is_bright_in_t2_and_dark_in_flair():
    head = anatomy(3, False)
    t2, flair = (tissue_means(paint(head, c, 1), head) for c in ("T2w", "FLAIR"))
    assert t2["csf"] > 1.3 * t2["wm"]
    assert flair["csf"] < 0.5 * flair["wm"]


def test_a_lesion_is_there_when_asked_for_and_only_then():
    without, lesioned = anatomy(3, False), anatomy(3, True)
    assert not without.core.any()
    assert not without.rim.any()
    assert not without.oedema.any()
    assert lesioned.core.max() > 0.5
    assert lesioned.rim.max() > 0.3
    assert (lesioned.core + lesioned.rim + lesioned.oedema).max() < 1.1


def test_about_every_third_head_has_a_lesion_by_default():
    heads = [make_anatomy(seed, (16, 16, 16)) for seed in range(40)]
    assert 5 <= sum(bool(h.core.any()) for h in heads) <= 22


def test_the_rim_of_a_lesion_is_bright_with_contrast_agent_only():
    head = anatomy(11, True)  # a lesion with a rim thick enough to hold whole voxels
    rim = head.rim > 0.5
    wm = (head.tissues[2] > 0.8) & (head.core + head.rim + head.oedema < 0.01)
    enhanced, plain = paint(head, "T1ce", 1), paint(head, "T1w", 1)
    assert enhanced[rim].mean() > 1.1 * enhanced[wm].mean()
    assert plain[rim].mean() < 0.9 * plain[wm].mean()


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_images_are_magnitudes(contrast):
    image = paint(anatomy(3, True), contrast, 5)
    assert image.shape == SHAPE
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert 0.3 < np.percentile(image, 99.5) < 2


def test_more_noise_is_more_noise_and_none_is_none():
    head = anatomy(3, False)
    clean, noisy = paint(head, "T1w", 1, noise=0.0), paint(head, "T1w", 1, noise=0.05)
    difference = (noisy - clean)[clean > 0.4]
    assert difference.std() == pytest.approx(0.05, rel=0.1)
