import threading

import numpy as np
import pytest
from scipy import ndimage

from napari_vol2vol import registration
from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.registration import image_of, register
from napari_vol2vol.volume import Volume

SPACING = (5.0, 4.0, 4.0)
itk = pytest.importorskip("SimpleITK")


@pytest.fixture(scope="module")
def pair():
    made = make_torso_pair(5, (24, 60, 72), SPACING, breathing_mm=0.0, noise=5.0)
    native, contrast = (
        Volume.from_array(np.asarray(v, np.float32), SPACING, modality="CT", units="HU", name=name)
        for v, name in ((made.native, "native"), (made.contrast, "contrast"))
    )
    return native, contrast


def displaced(volume, shift_mm):
    voxels = [s / v for s, v in zip(shift_mm, SPACING, strict=True)]
    return volume.with_data(ndimage.shift(volume.data, voxels, order=1, mode="nearest"))


@pytest.fixture(scope="module")
def registered(pair):
    native, contrast = pair
    return register(displaced(contrast, (7.0, -5.0, 6.0)), native, method="rigid")


def test_a_displaced_series_comes_back_although_contrast_medium_changed_it(pair, registered):
    _, contrast = pair
    inner = (slice(4, -4), slice(10, -10), slice(10, -10))
    moved = displaced(contrast, (7.0, -5.0, 6.0))
    error = [np.abs(v.data - contrast.data)[inner].mean() for v in (moved, registered.volume)]
    assert error[1] < 0.5 * error[0]
    assert registered.after > registered.before


def test_the_result_lies_on_the_grid_of_the_fixed_series_in_the_units_of_the_moved_one(pair, registered):
    native, contrast = pair
    assert registered.volume.same_grid(native)
    assert (registered.volume.units, registered.volume.modality) == (contrast.units, contrast.modality)


def test_splines_follow_what_no_rigid_motion_can(pair):
    native, contrast = pair
    z, y, x = np.meshgrid(*[np.arange(n, dtype=float) for n in contrast.shape], indexing="ij")
    bent = ndimage.map_coordinates(
        contrast.data, [z + 1.5 * np.sin(x / 12), y + np.sin(z / 5), x], order=1, mode="nearest"
    )
    moving = contrast.with_data(bent.astype(np.float32))
    rigid, splines = (register(moving, native, method=m) for m in ("rigid", "deformable"))
    assert splines.after > rigid.after


def test_itk_sees_the_same_point_in_mm(pair):
    native, _ = pair
    affine = native.affine.copy()
    affine[:3, 3] = (11, -22, 33)
    moved = native.with_data(native.data, affine=affine)
    z, y, x = 3, 5, 7
    lps = image_of(moved).TransformIndexToPhysicalPoint((x, y, z))
    ras = (affine @ [x, y, z, 1])[:3]
    np.testing.assert_allclose([-lps[0], -lps[1], lps[2]], ras)


def test_an_unknown_method_is_named(pair):
    with pytest.raises(SettingsError, match="method: found 'affine', accepted are rigid, deformable"):
        register(pair[1], pair[0], method="affine")


def test_a_registration_that_makes_both_less_alike_is_refused(pair, monkeypatch):
    native, contrast = pair
    alike = iter((0.5, 0.4))
    monkeypatch.setattr(registration, "_alike", lambda *arrays: next(alike))
    with pytest.raises(VolumeError, match=r"0\.500 before, 0\.400 after"):
        register(contrast, native, method="rigid")


def test_a_cancel_ends_it_and_changes_nothing(pair):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(VolumeError, match="cancelled"):
        register(pair[1], pair[0], cancel=cancel)


def test_without_simpleitk_the_message_names_the_extra(pair, monkeypatch):
    monkeypatch.setattr(registration, "available", lambda: False)
    with pytest.raises(SettingsError, match="register"):
        register(*pair)
