from functools import lru_cache

import numpy as np
import pytest

from napari_vol2vol.phantoms.brain import REGIONS, TISSUES, Anatomy, label_map, make_anatomy, paint

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


# Mean and standard deviation of head 3 in every contrast, and one voxel, before heads had labels.
PAINTED = {
    ("T1w", False): (0.5687677382, 0.1886487331, 0.7798249125),
    ("T1ce", False): (0.4964153916, 0.1521755231, 0.6768438220),
    ("T2w", False): (0.5629493734, 0.1420943962, 0.4711648822),
    ("FLAIR", False): (0.4720473601, 0.1408574327, 0.4796732068),
    ("T1w", True): (0.5462881392, 0.1880120592, 0.7821838856),
    ("T1ce", True): (0.4817998890, 0.1477282905, 0.6782921553),
    ("T2w", True): (0.5872306158, 0.1457321090, 0.4726889730),
    ("FLAIR", True): (0.5077505398, 0.1682627897, 0.4813145101),
}
SUMS = {
    False: (110256.11106, 0.0, 0.0, 0.0, 1869.26408),
    True: (110256.11106, 2153.26593, 1023.78916, 7240.17292, 1134.69392),
}


@pytest.mark.parametrize("lesion", [False, True])
def test_heads_are_those_that_the_shipped_bundles_were_trained_on(lesion):
    head = make_anatomy(3, (48, 48, 48), lesion=lesion)
    parts = (head.tissues, head.core, head.rim, head.oedema, head.texture)
    assert [float(p.astype(np.float64).sum()) for p in parts] == pytest.approx(SUMS[lesion], rel=1e-5)
    label_map(head)
    for contrast in CONTRASTS:
        image = paint(head, contrast, 7).astype(np.float64)
        found = (image.mean(), image.std(), image[20, 25, 30])
        assert found == pytest.approx(PAINTED[contrast, lesion], rel=1e-5)


def test_making_labels_changes_neither_the_head_nor_the_random_numbers():
    head = make_anatomy(3, (32, 32, 32), lesion=True)
    before = {name: getattr(head, name).copy() for name in ("tissues", "core", "rim", "oedema", "texture")}
    np.random.seed(1)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    label_map(head)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert all(np.array_equal(getattr(head, name), values) for name, values in before.items())


def one_voxel(*, core=0.0, rim=0.0, oedema=0.0, **tissues):
    shares = np.array([tissues.get(name, 0.0) for name in TISSUES], np.float32).reshape(-1, 1, 1, 1)
    maps = [np.full((1, 1, 1), value, np.float32) for value in (core, rim, oedema)]
    return Anatomy(shares, *maps, np.zeros((1, 1, 1), np.float32))


@pytest.mark.parametrize(
    ("voxel", "region"),
    [
        ({}, "background"),
        ({"bone": 0.4, "soft": 0.3, "gm": 0.3}, "background"),
        ({"csf": 0.3, "gm": 0.5, "wm": 0.2}, "GM"),
        ({"csf": 0.6, "gm": 0.4}, "CSF"),
        ({"wm": 1.0, "oedema": 0.4}, "WM"),
        ({"wm": 1.0, "oedema": 0.6}, "oedema"),
        ({"wm": 1.0, "oedema": 0.9, "rim": 0.7}, "enhancing rim"),
        ({"wm": 1.0, "oedema": 0.9, "rim": 0.9, "core": 0.6}, "lesion core"),
    ],
)
def test_a_voxel_is_labelled_by_what_fills_most_of_it(voxel, region):
    labels = label_map(one_voxel(**voxel))
    assert labels.dtype == np.uint8
    assert REGIONS[labels.item()] == region


def test_labels_of_a_head_agree_with_its_maps():
    head = anatomy(11, True)
    labels = label_map(head)
    assert labels.shape == SHAPE
    lesion = head.core + head.rim + head.oedema
    for name, share in (("lesion core", head.core), ("enhancing rim", head.rim * (1 - head.core))):
        assert (share > 0.6).sum() > 50
        assert (labels[share > 0.6] == REGIONS.index(name)).all()
    for name, index in (("CSF", 0), ("GM", 1), ("WM", 2)):
        pure = (head.tissues[index] > 0.6) & (lesion < 0.05)
        assert (labels[pure] == REGIONS.index(name)).all()
    assert set(np.unique(label_map(anatomy(3, False)))) <= {0, 1, 2, 3}
