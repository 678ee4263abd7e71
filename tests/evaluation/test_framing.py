import numpy as np
import pytest

from napari_vol2vol.anatomical_planes import PLANES
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.framing import frame_of, point_of
from napari_vol2vol.evaluation.suite_entries import View
from napari_vol2vol.volume import Volume

AXIAL, CORONAL, SAGITTAL = PLANES
SHAPE = (6, 8, 10)


@pytest.fixture
def volume():
    """A value says its voxel: 10000 z + 100 y + x."""
    z, y, x = np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij")
    return Volume.from_array(10000 * z + 100 * y + x, (2.0, 1.0, 0.5), name="v")


def test_pictures_are_radiological_with_superior_and_anterior_up(volume):
    frame = frame_of(View(point=(1, 2, 3)), volume)
    axial, coronal, sagittal = (frame.slice_of(volume.data, plane) for plane in PLANES)
    assert axial.shape == (8, 10)
    assert axial[0, 0] == 10000 * 1 + 100 * 7 + 9  # anterior top, the patient's right on the left
    assert coronal[0, 0] == 10000 * 5 + 100 * 2 + 9
    assert sagittal[0, 0] == 10000 * 5 + 100 * 7 + 3  # anterior on the left
    assert sagittal[-1, -1] == 3


def test_the_box_in_the_picture_holds_what_is_zoomed(volume):
    frame = frame_of(View(point=(3, 4, 5), zoom_centre=(2, 3, 6), zoom_size=4), volume)
    assert (frame.start, frame.stop) == ((0, 1, 4), (4, 5, 8))
    for plane in PLANES:
        left, top, width, height = frame.box_in(plane)
        rows = slice(int(top + 0.5), int(top + 0.5 + height))
        columns = slice(int(left + 0.5), int(left + 0.5 + width))
        zoom = frame.zoom_of(volume.data, plane)
        assert np.array_equal(frame.slice_of(volume.data, plane)[rows, columns], zoom)
        assert zoom.shape == (4, 4)


def test_the_box_stays_inside_the_volume(volume):
    frame = frame_of(View(point=(5, 0, 9), zoom_size=7), volume)
    assert (frame.start, frame.stop) == ((0, 0, 3), (6, 7, 10))


def test_panels_have_the_proportions_of_the_patient(volume):
    frame = frame_of(View(zoom_size=4), volume)
    assert frame.ratio(AXIAL) == pytest.approx(8 * 1 / (10 * 0.5))
    assert frame.ratio(CORONAL) == pytest.approx(6 * 2 / (10 * 0.5))
    assert frame.zoom_ratio(SAGITTAL) == pytest.approx(2.0)


def test_the_point_is_the_centre_unless_stated_and_is_told_in_mm(volume):
    assert frame_of(View(), volume).point == (3, 4, 5)
    assert point_of(volume, (3, 4, 5)) == "R 2.5  A 4.0  S 6.0 mm"
    moved = volume.with_data(volume.data, affine=np.diag([-1.0, -1, 1, 1]))
    assert point_of(moved, (1, 2, 3)) == "L 3.0  P 2.0  S 1.0 mm"


def test_a_point_outside_is_refused(volume):
    with pytest.raises(
        SettingsError, match=r"view: point: found voxel \(6, 0, 0\), v accepts .* \(5, 7, 9\)"
    ):
        frame_of(View(point=(6, 0, 0)), volume)
    with pytest.raises(SettingsError, match="view: zoom_centre"):
        frame_of(View(zoom_centre=(0, 8, 0)), volume)
