import numpy as np
import pytest
from scipy import ndimage

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.phantoms.labelled_torso import BODY, OrganMap, torso_of
from napari_vol2vol.phantoms.torso_ct import Enhancement, scanned_twice

SHAPE, SPACING = (20, 96, 112), (5.0, 2.2, 2.2)
LIVER, AORTA, VERTEBRA, LUNG, HEART, KIDNEY = 5, 52, 30, 12, 51, 2


def patient():
    """A body with a liver on its right, a spine behind, an aorta before it, a heart and one kidney."""
    labels = np.zeros((40, 70, 80), np.uint8)
    z, y, x = np.meshgrid(*[np.arange(n) for n in labels.shape], indexing="ij")

    def ball(centre, radii):
        return sum(((p - c) / r) ** 2 for p, c, r in zip((z, y, x), centre, radii, strict=True)) < 1

    labels[ball((20, 35, 40), (80, 30, 36))] = BODY
    labels[ball((16, 38, 58), (10, 14, 12))] = LIVER
    labels[ball((30, 42, 36), (8, 10, 12))] = HEART
    labels[ball((14, 22, 22), (8, 5, 5))] = KIDNEY
    labels[ball((20, 14, 40), (60, 6, 7))] = VERTEBRA
    labels[ball((20, 26, 37), (60, 3, 3))] = AORTA
    return OrganMap(labels, (5.0, 4.0, 4.0))


@pytest.fixture(scope="module")
def torso():
    return torso_of(patient(), 2, SHAPE, SPACING)


def middle_of(mask):
    return np.argwhere(mask).mean(0)


def test_the_same_seed_gives_the_same_torso_and_another_seed_another(torso):
    assert np.array_equal(torso_of(patient(), 2, SHAPE, SPACING).labels, torso.labels)
    assert (torso_of(patient(), 3, SHAPE, SPACING).labels != torso.labels).mean() > 0.05


@pytest.mark.parametrize("seed", range(3))
def test_left_stays_left_and_back_stays_back(seed):
    torso = torso_of(patient(), seed, SHAPE, SPACING)
    spine, liver = middle_of(torso.mask("trabecular bone")), middle_of(torso.mask("liver"))
    assert liver[2] > spine[2]  # x grows to the patient's right
    assert spine[1] < middle_of(torso.mask("aorta"))[1] < liver[1]


def test_marrow_lies_within_cortex(torso):
    marrow, bone = torso.mask("trabecular bone"), torso.mask("trabecular bone", "cortical bone")
    shell = bone & ~ndimage.binary_erosion(bone, np.ones((1, 3, 3)), border_value=1)
    assert torso.mask("cortical bone")[shell].mean() > 0.4
    assert ndimage.binary_erosion(bone, np.ones((1, 5, 5)))[marrow].mean() > 0.4


def test_the_right_heart_lies_to_the_right_of_the_left_chambers(torso):
    assert middle_of(torso.mask("right heart"))[2] > middle_of(torso.mask("heart chamber"))[2]
    assert torso.mask("heart muscle").any()


def test_only_what_takes_up_contrast_medium_differs_between_the_phases(torso):
    pair = scanned_twice(torso, 5, breathing_mm=0.0, noise=1.0)
    change = pair.contrast - pair.native
    inner = ndimage.binary_erosion(torso.mask("aorta"), np.ones((1, 3, 3)))
    assert np.median(change[inner]) > 150
    assert abs(np.median(change[torso.mask("cortical bone", "trabecular bone")])) < 5


def test_the_enhancement_of_the_aorta_is_drawn_from_the_range_asked_for(torso):
    inner = ndimage.binary_erosion(torso.mask("aorta"), np.ones((1, 3, 3)))
    for aorta in ((150.0, 151.0), (470.0, 471.0)):
        pair = scanned_twice(torso, 5, breathing_mm=0.0, noise=1.0, enhancement=Enhancement(aorta))
        assert np.median((pair.contrast - pair.native)[inner]) == pytest.approx(aorta[0], rel=0.2)


def test_an_enhancement_names_what_organs_take_up_and_how_uneven_blood_from_the_arm_is(torso):
    right = ndimage.binary_erosion(torso.mask("right heart"), np.ones((1, 3, 3)))
    liver = ndimage.binary_erosion(torso.mask("liver"), np.ones((1, 3, 3)))
    spread = {}
    for mixing in (0.0, 0.5):
        enhancement = Enhancement((300.0, 301.0), {"liver": (90.0, 91.0)}, mixing)
        pair = scanned_twice(torso, 5, breathing_mm=0.0, noise=1.0, enhancement=enhancement)
        change = pair.contrast - pair.native
        assert np.median(change[liver]) == pytest.approx(90, abs=4)
        spread[mixing] = change[right].std() / change[right].mean()
    assert spread[0.5] > 2 * spread[0.0]


def test_labels_that_are_no_organs_are_refused_by_number():
    with pytest.raises(VolumeError, match="found the labels 118, accepted are TotalSegmentator's 1 to 117"):
        OrganMap(np.full((4, 4, 4), 118, np.uint8), (1, 1, 1))
