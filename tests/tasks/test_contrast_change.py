import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.tasks import get_task
from napari_vol2vol.tasks.contrast_change import ADDITION, REMOVAL
from napari_vol2vol.tasks.contrast_phase import guess_phase
from napari_vol2vol.volume import Volume

SPACING = (4.0, 3.0, 3.0)


def ct(values, name="scan"):
    return Volume.from_array(np.asarray(values, np.float32), SPACING, modality="CT", units="HU", name=name)


@pytest.fixture
def scan():
    rng = np.random.default_rng(0)
    return ct(rng.uniform(-1024, 2500, (5, 9, 11)))


def test_hounsfield_units_survive_the_way_to_model_space_and_back(scan):
    m = REMOVAL.prepare(scan, (1, 1, 1), 4, ("CT",))
    assert m.shape == (8, 12, 12)
    result = REMOVAL.finish(m.physical(m.plain).numpy(), scan, (1, 1, 1), "out", "native")
    np.testing.assert_allclose(result.data, scan.data, atol=2e-3)
    assert (result.units, result.modality) == ("HU", "CT")


def test_metal_beyond_the_range_keeps_its_value_plus_the_change(scan):
    m = REMOVAL.prepare(scan, (1, 1, 1), 1, ("CT",))
    lowered = m.physical(m.plain).numpy() - 50
    result = REMOVAL.finish(lowered, scan, (1, 1, 1), "out", "native")
    np.testing.assert_allclose(result.data, scan.data - 50, atol=2e-3)


def test_dense_contrast_medium_that_was_removed_is_not_put_back():
    scan = ct([[[3000.0, 1400.0, 1400.0, 1400.0, -3024.0]]])
    removed = np.array([[[1000.0, 50.0, 700.0, 900.0, -1000.0]]], np.float32)
    result = REMOVAL.finish(removed, scan, (1, 1, 1), "out", "native")
    np.testing.assert_allclose(result.data, [[[3000.0, 50.0, 900.0, 1300.0, -3024.0]]])


def test_both_directions_are_tasks_of_their_own():
    assert (REMOVAL.target, ADDITION.target) == ("native", "arterial")
    assert REMOVAL.name != ADDITION.name


@pytest.mark.parametrize("values", [np.ones((4, 4, 4)) * 300, -np.ones((4, 4, 4)) * 20_000])
def test_what_cannot_be_hounsfield_units_is_refused(values):
    with pytest.raises(VolumeError, match="accepted is CT in Hounsfield units"):
        REMOVAL.prepare(ct(values), (1, 1, 1), 1, ("CT",))


def test_an_input_cannot_be_simulated(scan):
    with pytest.raises(SettingsError, match="cannot be computed"):
        REMOVAL.degrade(scan)


@pytest.fixture(scope="module")
def patient():
    return make_torso_pair(6, (44, 128, 128), SPACING, breathing_mm=0.0)


def test_contrast_medium_is_found_in_the_arterial_scan_and_not_in_the_native_one(patient):
    native, contrast = guess_phase(ct(patient.native)), guess_phase(ct(patient.contrast))
    assert not native.enhanced
    assert contrast.enhanced
    truth = np.median(patient.contrast[patient.torso.mask("aorta", "heart chamber")])
    assert contrast.blood_hu == pytest.approx(truth, rel=0.25)
    assert "contrast-enhanced" in contrast.words
    assert "native" in native.words


def test_bone_alone_is_no_contrast_medium():
    rng = np.random.default_rng(1)
    bone = np.full((30, 40, 40), -1000.0)
    bone[5:25, 10:30, 10:30] = rng.normal(250, 120, (20, 20, 20))
    assert not guess_phase(ct(bone)).enhanced


def test_a_source_in_the_phase_of_the_result_is_remarked_upon(patient):
    native, contrast = ct(patient.native, "native scan"), ct(patient.contrast, "arterial scan")
    assert REMOVAL.remarks(contrast) == ADDITION.remarks(native) == []
    (remark,) = REMOVAL.remarks(native)
    assert "native scan looks native" in remark
    (remark,) = ADDITION.remarks(contrast)
    assert "looks contrast-enhanced" in remark


def test_the_result_is_shown_in_the_window_of_the_source():
    assert get_task("contrast-removal").shares_window
    assert get_task("sparse-view-ct").shares_window
    assert not get_task("modality-translation").shares_window
