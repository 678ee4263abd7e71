"""Volumes: grids compared and resampled, padding that crops back exactly, layers that come back exactly."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.io.asymmetric_phantom import canonical_phantom, grid, right_blob_mm

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.volume import Source, Volume, check_image, check_reference, pad_to_multiple

layers = pytest.importorskip("napari.layers")


def phantom(turned=False, **keywords):
    return Volume.from_array(canonical_phantom().transpose(2, 1, 0), affine=grid(turned=turned), **keywords)


def shown(volume):
    """Return the napari layer of a volume and the volume that comes back from it."""
    data, keywords, kind = volume.to_layer()
    assert kind == "image"
    layer = layers.Image(data, **keywords)
    return layer, read_back(layer)


def read_back(layer):
    return Volume.from_layer(
        layer.data, layer.scale, layer.translate, layer.metadata, layer.name, units=layer.units
    )


def test_shape_and_spacing_are_z_y_x():
    volume = phantom(turned=True)
    assert volume.shape == (7, 9, 11)
    np.testing.assert_allclose(volume.spacing_mm, (2.5, 1.1, 0.9))
    assert volume.data.dtype == np.float32


def test_new_data_needs_the_shape_or_an_affine():
    volume = phantom(units="HU", modality="CT")
    doubled = volume.with_data(volume.data * 2, name="double")
    assert (doubled.name, doubled.units, doubled.modality) == ("double", "HU", "CT")
    with pytest.raises(VolumeError, match=r"found data of shape \(1, 2, 3\), accepted is \(7, 9, 11\)"):
        volume.with_data(np.zeros((1, 2, 3)))
    assert volume.with_data(np.zeros((1, 2, 3)), affine=np.eye(4)).shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("data", "affine", "found"),
    [
        (np.zeros((3, 4)), np.eye(4), r"shape \(3, 4\)"),
        (np.zeros((3, 0, 4)), np.eye(4), r"shape \(3, 0, 4\)"),
        (np.zeros((3, 3, 3), complex), np.eye(4), "complex128"),
        (np.zeros((3, 3, 3)), np.diag([1.0, 0, 1, 1]), "singular"),
        (np.zeros((3, 3, 3)), np.full((4, 4), np.nan), "accepted is a finite 4 x 4"),
    ],
)
def test_what_is_no_volume_is_refused(data, affine, found):
    with pytest.raises(VolumeError, match=found):
        Volume.from_array(data, affine=affine, name="odd")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_located(bad):
    volume = phantom()
    volume.data[2, 3, 4] = bad
    with pytest.raises(
        VolumeError, match=r"1 voxels that are NaN or infinite \(the first at z, y, x = \(2, 3, 4\)\)"
    ):
        check_image(volume)


def test_a_constant_volume_is_refused():
    with pytest.raises(VolumeError, match=r"constant volume \(every voxel is 3\)"):
        check_image(Volume.from_array(np.full((4, 4, 4), 3.0)))


def test_grids_agree_up_to_a_thousandth_of_a_millimetre():
    one = phantom(turned=True)
    near, far = one.affine.copy(), one.affine.copy()
    near[0, 3] += 5e-4
    far[0, 3] += 5e-3
    assert one.same_grid(one.with_data(one.data, affine=near))
    assert not one.same_grid(one.with_data(one.data, affine=far))


def test_a_small_rotation_is_noticed_at_the_corners():
    one = Volume.from_array(np.zeros((100, 100, 100)))
    turned = np.eye(4)
    turned[0, 1], turned[1, 0] = 1e-4, -1e-4
    assert not one.same_grid(one.with_data(one.data, affine=turned))


@pytest.mark.parametrize(
    ("shape", "spacing", "origin", "words"),
    [
        ((8, 9, 11), 1.0, 0, "shape"),
        ((7, 9, 11), 1.2, 0, "spacing"),
        ((7, 9, 11), 1.0, 4, r"up to 4 mm away"),
    ],
)
def test_a_reference_elsewhere_is_refused_with_an_offer_to_resample(shape, spacing, origin, words):
    volume = Volume.from_array(np.zeros((7, 9, 11)), name="source")
    affine = np.diag([spacing] * 3 + [1.0])
    affine[0, 3] = origin
    reference = Volume.from_array(np.random.default_rng(0).random(shape), affine=affine, name="truth")
    with pytest.raises(VolumeError, match=f"reference truth: .*{words}.*resampled_to"):
        check_reference(volume, reference)
    check_reference(volume, reference.resampled_to(volume))


def test_resampling_keeps_anatomy_in_place():
    volume = phantom(turned=True)
    finer = grid((0.5, 0.5, 0.5), turned=True)
    there = volume.resampled_to(Volume.from_array(np.zeros((36, 20, 20)), affine=finer))
    np.testing.assert_allclose(right_blob_mm(there), right_blob_mm(volume), atol=0.5)
    assert there.shape == (36, 20, 20)


def test_resampling_reproduces_a_linear_ramp_exactly():
    z, y, x = np.mgrid[:6, :7, :8].astype(float)
    ramp = Volume.from_array(2 * x - y + 3 * z, spacing_mm=(2, 1, 1))
    target = Volume.from_array(
        np.zeros((4, 4, 4)), affine=[[1, 0, 0, 1.5], [0, 1, 0, 2.25], [0, 0, 1, 3], [0, 0, 0, 1]]
    )
    z, y, x = np.mgrid[:4, :4, :4].astype(float)
    expected = 2 * (x + 1.5) - (y + 2.25) + 3 * (z + 3) / 2
    np.testing.assert_allclose(ramp.resampled_to(target).data, expected, atol=1e-4)


def test_outside_the_field_of_view_comes_the_minimum_and_no_dark_rim():
    air = Volume.from_array(np.random.default_rng(0).uniform(500, 600, (4, 4, 4)))
    air.data[0, 0, 0] = -1000
    halved = np.diag([0.5, 0.5, 0.5, 1.0])
    halved[:3, 3] = -0.25
    fine = air.resampled_to(Volume.from_array(np.zeros((8, 8, 8)), affine=halved))
    assert fine.data[:, 4:, 4:].min() > 499
    away = Volume.from_array(
        np.zeros((3, 3, 3)), affine=np.array(np.diag([1, 1, 1, 1.0])) + np.eye(4, k=3) * 90
    )
    assert (air.resampled_to(away).data == -1000).all()


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 19)] * 3),
    multiples=st.one_of(st.integers(1, 9), st.tuples(*[st.integers(1, 9)] * 3)),
    minimum=st.integers(1, 24),
)
def test_padding_is_a_multiple_and_crops_back_exactly(shape, multiples, minimum):
    array = np.random.default_rng(0).random(shape)
    padded, crop = pad_to_multiple(array, multiples, minimum)
    per_axis = (multiples,) * 3 if isinstance(multiples, int) else multiples
    assert all(n % m == 0 and n >= minimum for n, m in zip(padded.shape, per_axis, strict=True))
    assert all(n - m < max(s, minimum) for n, m, s in zip(padded.shape, per_axis, shape, strict=True))
    np.testing.assert_array_equal(padded[crop], array)
    assert (padded.min(), padded.max()) == (array.min(), array.max())


@pytest.mark.parametrize("turned", [False, True])
def test_a_layer_gives_the_volume_back_exactly(turned):
    source = Source("nifti", "/data/x.nii", (11, 9, 7), grid(turned=turned), "int16")
    volume = phantom(turned, units="HU", modality="CT", name="scan", source=source, provenance={"seed": 3})
    layer, back = shown(volume)
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_array_equal(back.affine, volume.affine)
    assert (back.units, back.modality, back.name) == ("HU", "CT", "scan")
    assert back.source is source
    assert back.provenance == {"seed": 3}
    np.testing.assert_allclose(layer.scale, volume.spacing_mm)
    np.testing.assert_allclose(layer.translate, volume.affine[2::-1, 3])
    assert tuple(str(u) for u in layer.units) == ("millimeter",) * 3
    assert layer.axis_labels == ("z", "y", "x")


def test_left_stays_left_in_a_layer():
    layer, _ = shown(phantom())
    index = np.argwhere(layer.data > 800).mean(axis=0)
    z, y, x = layer.data_to_world(index)
    np.testing.assert_allclose((x, y, z), right_blob_mm(phantom()), atol=1e-5)
    assert x > layer.data_to_world((3, 4, 5))[2]


def test_an_oblique_layer_that_was_moved_moves_along_its_own_axes():
    volume = phantom(turned=True)
    layer, _ = shown(volume)
    layer.translate = np.add(layer.translate, (0, 0, 3.0))
    moved = read_back(layer).affine[:3, 3] - volume.affine[:3, 3]
    np.testing.assert_allclose(moved, 3.0 * volume.affine[:3, 0] / 0.9, atol=1e-6)


def test_a_cropped_layer_keeps_its_anatomy_in_place():
    volume = phantom(turned=True)
    layer, _ = shown(volume)
    part = layers.Image(
        layer.data[1:6, 2:, 1:], scale=layer.scale, units=layer.units, metadata=layer.metadata,
        translate=layer.translate + layer.scale * (1, 2, 1),
    )  # fmt: skip
    np.testing.assert_allclose(right_blob_mm(read_back(part)), right_blob_mm(volume), atol=1e-5)


def test_a_plain_layer_becomes_a_volume_on_its_scale_and_translate():
    layer = layers.Image(
        np.arange(24).reshape(2, 3, 4).astype(np.uint8), scale=(3, 2, 1), translate=(5, 6, 7), name="mine"
    )
    volume = read_back(layer)
    np.testing.assert_array_equal(volume.affine, [[1, 0, 0, 7], [0, 2, 0, 6], [0, 0, 3, 5], [0, 0, 0, 1]])
    assert (volume.units, volume.modality, volume.name, volume.source) == ("a.u.", None, "mine", None)


def test_length_units_of_a_layer_become_millimetres():
    layer = layers.Image(np.zeros((2, 3, 4)), scale=(500, 200, 200), units=("um",) * 3)
    np.testing.assert_allclose(read_back(layer).spacing_mm, (0.5, 0.2, 0.2))
    with pytest.raises(VolumeError, match="layer mine: found the unit second"):
        Volume.from_layer(np.zeros((2, 3, 4)), name="mine", units=("second",) * 3)


def test_a_negative_scale_is_turned_into_a_flip():
    data = np.arange(24.0).reshape(2, 3, 4)
    volume = Volume.from_layer(data, scale=(1, 1, -2), translate=(0, 0, 10))
    np.testing.assert_array_equal(volume.data, data[:, :, ::-1])
    np.testing.assert_allclose(volume.affine[0], [2, 0, 0, 4])


def test_layers_that_are_no_volume_are_refused_and_single_frames_are_not():
    rgb = layers.Image(np.zeros((4, 5, 6, 3), np.uint8), rgb=True)
    with pytest.raises(VolumeError, match="RGB"):
        read_back(rgb)
    with pytest.raises(VolumeError, match=r"layer Image: found an array of shape \(4, 5\)"):
        read_back(layers.Image(np.zeros((4, 5))))
    assert read_back(layers.Image(np.zeros((1, 4, 5, 6)))).shape == (4, 5, 6)
    assert read_back(layers.Image([np.zeros((4, 6, 8)), np.zeros((2, 3, 4))], multiscale=True)).shape == (
        4,
        6,
        8,
    )


def test_labels_are_whole_numbers_and_other_kinds_are_refused():
    data, keywords, kind = phantom().to_layer("labels")
    assert layers.Labels(data, **keywords).data.dtype == np.int32
    assert kind == "labels"
    with pytest.raises(VolumeError, match="kind: found 'points'"):
        phantom().to_layer("points")


def test_the_volume_module_imports_numpy_only():
    heavy = "{'nibabel', 'scipy', 'pydicom', 'torch', 'napari'}"
    code = f"import sys, napari_vol2vol.volume, napari_vol2vol.io; print(*({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""
