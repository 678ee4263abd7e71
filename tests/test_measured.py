from dataclasses import replace

import numpy as np
import pytest

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.measured import MeasuredCT, MeasuredMRI
from napari_vol2vol.volume import Volume

SINOGRAM = np.ones((3, 4, 7), np.float32)
KSPACE = np.ones((2, 3, 6, 5), np.complex64)
SCAN = MeasuredCT(SINOGRAM, (0.0, 45.0, 90.0, 135.0), (6, 5), 2.0, 2.0)
MASK = np.ones((6, 5), bool)


def volume(**changes):
    fields = {"name": "scan", "spacing_mm": (3, 2, 2), **changes}
    return replace(Volume.from_array(np.arange(90.0).reshape(3, 6, 5), **fields), measured=SCAN)


def test_shapes_are_those_of_the_image():
    assert SCAN.shape == (3, 6, 5)
    assert MeasuredMRI(KSPACE, MASK, np.ones((2, 1, 6, 5), np.complex64)).shape == (3, 6, 5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(SCAN, angles_deg=(0.0,)), r"sinogram: found shape \(3, 4, 7\) and 1 angles"),
        (lambda: replace(SCAN, sinogram=SINOGRAM * np.nan), "sinogram: found values that are NaN"),
        (lambda: MeasuredMRI(KSPACE, MASK[:, :4]), "k-space, mask: found shapes"),
        (lambda: MeasuredMRI(KSPACE, MASK), "coil maps: found None"),
        (lambda: MeasuredMRI(KSPACE * np.inf, MASK), "k-space: found values"),
        (
            lambda: replace(volume(), measured=replace(SCAN, image_shape=(6, 6))),
            "measured: found a measurement",
        ),
    ],
)
def test_measurements_that_do_not_fit_are_refused(make, message):
    with np.errstate(invalid="ignore"), pytest.raises(VolumeError, match=message):
        make()


def test_a_summary_tells_measurements_apart():
    other = replace(SCAN, sinogram=SINOGRAM * 2)
    assert SCAN.summary()["sha256"] != other.summary()["sha256"]
    assert SCAN.summary() == replace(SCAN, sinogram=SINOGRAM.copy()).summary()


def test_what_was_measured_stays_with_the_same_voxels_only():
    scan = volume()
    assert scan.with_data(scan.data, name="renamed").measured is SCAN
    assert scan.with_data(scan.data * 2).measured is None
    assert scan.with_data(scan.data, affine=scan.affine).measured is None
    assert scan.resampled_to(Volume.from_array(np.zeros((2, 2, 2)))).measured is None


def test_a_layer_carries_the_measurement_and_loses_it_when_cut_or_turned():
    array, keywords, _ = volume().to_layer()
    shared = {k: keywords[k] for k in ("scale", "translate", "metadata", "name")}
    assert Volume.from_layer(array, **shared).measured is SCAN
    assert Volume.from_layer(array[:2], **shared).measured is None
    flipped = {**shared, "scale": (-3.0, 2.0, 2.0)}
    assert Volume.from_layer(array, **flipped).measured is None
