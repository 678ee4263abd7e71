import numpy as np
import pytest

from napari_vol2vol.phantoms.torso import LABELS, make_torso
from napari_vol2vol.phantoms.torso_ct import ADDED, make_torso_pair
from napari_vol2vol.phantoms.torso_shapes import Space, smooth_field

SHAPE, SPACING = (48, 100, 112), (5.0, 4.0, 4.0)


@pytest.fixture(scope="module")
def pair():
    return make_torso_pair(3, SHAPE, SPACING, breathing_mm=0.0, noise=5.0)


def middle_of(mask):
    return np.argwhere(mask).mean(0)


def test_the_same_seed_gives_the_same_patient_and_another_seed_another():
    one, again, other = (make_torso(seed, SHAPE, SPACING).labels for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert (one != other).mean() > 0.1


def test_every_organ_is_there_in_every_patient():
    for seed in range(3):
        found = np.unique(make_torso(seed, SHAPE, SPACING).labels)
        missing = [name for i, name in enumerate(LABELS) if i not in found]
        above = {"upper vena cava", "pulmonary vessel", "right heart"}  # may lie above this grid
        assert set(missing) <= {"bowel gas", "gallbladder"} | above


def test_liver_is_right_spleen_left_spine_behind_and_lungs_above(pair):
    torso = pair.torso
    z, y, x = (n / 2 for n in SHAPE)
    assert middle_of(torso.mask("liver"))[2] > x  # x grows to the patient's right
    assert middle_of(torso.mask("spleen"))[2] < x
    assert middle_of(torso.mask("trabecular bone", "cortical bone"))[1] < y
    assert middle_of(torso.mask("lung"))[0] > z


def test_nothing_of_the_body_lies_on_the_table(pair):
    table = pair.torso.mask("table")
    assert table.any()
    assert np.argwhere(table)[:, 1].max() < middle_of(pair.torso.body)[1]


def change(pair, *names):
    mask = pair.torso.mask(*names)
    return float(np.median((pair.contrast - pair.native)[mask]))


def test_the_arterial_phase_brightens_what_it_does_in_patients(pair):
    assert change(pair, "aorta") > 150
    assert change(pair, "kidney cortex") > 50
    assert change(pair, "spleen") > 40
    assert change(pair, "liver") < 25
    assert change(pair, "vein") < 30


@pytest.mark.parametrize("name", ["fat", "visceral fat", "lung", "cortical bone", "muscle", "air"])
def test_what_takes_up_no_contrast_keeps_its_values(pair, name):
    assert abs(change(pair, name)) < 10


def test_native_values_are_those_of_ct(pair):
    median = {
        n: float(np.median(pair.native[pair.torso.mask(n)])) for n in ("air", "fat", "liver", "lung", "aorta")
    }
    assert median["air"] == pytest.approx(-1000, abs=15)
    assert median["fat"] == pytest.approx(-105, abs=25)
    assert median["liver"] == pytest.approx(57, abs=20)
    assert median["lung"] == pytest.approx(-840, abs=110)
    assert median["aorta"] == pytest.approx(42, abs=20)
    assert set(ADDED) <= set(LABELS)


def test_breathing_moves_the_contrast_scan_and_not_the_native_one():
    still = make_torso_pair(3, SHAPE, SPACING, breathing_mm=0.0, noise=5.0)
    moved = make_torso_pair(3, SHAPE, SPACING, breathing_mm=3.0, noise=5.0)
    edge = still.torso.mask("cortical bone", "trabecular bone")
    assert np.abs(moved.contrast - still.contrast)[edge].mean() > 15
    assert np.array_equal(still.torso.labels, moved.torso.labels)


def test_noise_has_the_stated_standard_deviation(pair):
    air = pair.torso.mask("air")[:, :8, :8]
    assert pair.contrast[:, :8, :8][air].std() == pytest.approx(5.0, rel=0.1)


def test_a_tube_holds_what_is_within_its_radius():
    space = Space.bent(np.random.default_rng(0), (20, 20, 20), (2.0, 2.0, 2.0), amplitude_mm=0.0)
    tube = space.tube([(-30.0, 0.0, 0.0), (0.0, 0.0, 0.0), (30.0, 0.0, 0.0)], 6.0)
    exact = np.hypot(space.y, space.x) <= 6.0
    assert (tube != exact).mean() < 0.01


def test_a_smooth_field_has_unit_variance_and_its_wavelength():
    field = smooth_field(np.random.default_rng(0), (64, 64, 64), (1.0, 1.0, 1.0), 16.0)
    assert field.std() == pytest.approx(1.0)
    near, far = (np.mean(field[:-d] * field[d:]) for d in (4, 32))
    assert near > 0.5
    assert abs(far) < 0.35


def test_the_lower_chest_shows_what_comes_from_the_arm():
    shape, spacing = (32, 80, 96), (5.0, 4.0, 4.0)
    chest = make_torso(2, shape, spacing, middle_mm=100.0)
    assert all(chest.mask(name).any() for name in ("upper vena cava", "right heart", "pulmonary vessel"))
    assert chest.mask("lung").sum() > make_torso(2, shape, spacing).mask("lung").sum()
    cava, left, spine = (
        middle_of(chest.mask(name)) for name in ("upper vena cava", "heart chamber", "trabecular bone")
    )
    assert cava[2] > left[2]  # to the patient's right
    assert cava[1] > spine[1]  # in front
