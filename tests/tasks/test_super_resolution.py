import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.grid import regridded
from napari_vol2vol.tasks import TASKS, get_task
from napari_vol2vol.volume import Volume

TASK = get_task("super-resolution")
FACTORS = [(4, 4, 4), (4, 4, 1), (1, 2, 3)]


def finished(measurement, which, source, factor, name):
    data = measurement.physical(getattr(measurement, which)).numpy()
    return TASK.finish(data, source, factor, name, "T1w")


def oblique_affine():
    """Voxels of 0.9 x 1.1 x 1.2 mm, turned about two axes, away from the origin."""
    a, b = np.deg2rad(20), np.deg2rad(-12)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag([0.9, 1.1, 1.2])
    affine[:3, 3] = [-31.0, 12.5, 70.25]
    return affine


def blob(shape=(24, 32, 36), affine=None):
    """A smooth blob off the centre, further to the right, anterior and superior."""
    grid = np.meshgrid(*[np.arange(n, dtype=float) for n in shape], indexing="ij")
    centre = [0.6 * n for n in shape]
    squares = sum(((g - c) / 3.0) ** 2 for g, c in zip(grid, centre, strict=True))
    return Volume.from_array(100 * np.exp(-squares / 2), affine=affine, name="blob", modality="T1w")


def centre_of_gravity_mm(volume):
    z, y, x = (
        (volume.data.astype(float) * g).sum() / volume.data.astype(float).sum()
        for g in np.meshgrid(*[np.arange(n, dtype=float) for n in volume.shape], indexing="ij")
    )
    return (volume.affine @ [x, y, z, 1])[:3]


@pytest.mark.parametrize("affine", [np.eye(4), oblique_affine()], ids=["straight", "oblique"])
@pytest.mark.parametrize("factor", FACTORS)
def test_degrading_keeps_the_position_in_the_patient(factor, affine):
    fine = blob(affine=affine)
    low = TASK.degrade(fine, factor)
    assert low.shape == tuple(n // k for n, k in zip(fine.shape, factor, strict=True))
    assert np.allclose(low.spacing_mm, np.multiply(fine.spacing_mm, factor))
    assert np.allclose(centre_of_gravity_mm(low), centre_of_gravity_mm(fine), atol=0.01)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_left_stays_left_anterior_stays_anterior_superior_stays_superior(axis):
    data = np.zeros((16, 24, 32))
    where = [slice(None)] * 3
    where[axis] = slice(0, 6)
    data[tuple(where)] = 1
    source = Volume.from_array(data, name="half")
    low = TASK.degrade(source, (4, 4, 4))
    profile = low.data.mean(axis=tuple(i for i in range(3) if i != axis))
    assert np.allclose(profile[:3], [1, 0.5, 0])
    measurement = TASK.prepare(low, (4, 4, 4), 4)
    result = finished(measurement, "plain", low, (4, 4, 4), "up")
    fine = result.data.mean(axis=tuple(i for i in range(3) if i != axis))
    assert fine[0] > 0.9
    assert abs(fine[-1]) < 0.1


@pytest.mark.parametrize("factor", FACTORS)
def test_each_voxel_is_the_mean_of_its_block(factor):
    fine = Volume.from_array(np.random.default_rng(0).uniform(0, 9, (8, 8, 12)), name="noise")
    low = TASK.degrade(fine, factor)
    kz, ky, kx = factor
    for z, y, x in [(0, 0, 0), (1, 1, 2), tuple(n - 1 for n in low.shape)]:
        block = fine.data[z * kz : (z + 1) * kz, y * ky : (y + 1) * ky, x * kx : (x + 1) * kx]
        assert low.data[z, y, x] == pytest.approx(block.mean(), rel=1e-6)


def test_a_size_that_does_not_divide_loses_its_far_end_only():
    fine = Volume.from_array(np.random.default_rng(0).uniform(0, 9, (9, 11, 14)), affine=oblique_affine())
    low = TASK.degrade(fine, (4, 4, 4))
    whole = TASK.degrade(Volume.from_array(fine.data[:8, :8, :12], affine=fine.affine, name="cut"), (4, 4, 4))
    assert low.shape == (2, 2, 3)
    assert np.array_equal(low.data, whole.data)
    assert low.same_grid(whole)


@pytest.mark.parametrize("factor", [(4, 4, 4), (4, 4, 1), (2, 1, 3)])
@pytest.mark.parametrize("multiple", [1, 8])
def test_the_base_estimate_has_the_block_means_and_the_grid_of_its_input(factor, multiple):
    fine = blob((20, 28, 36), oblique_affine())
    low = TASK.degrade(fine, factor)
    measurement = TASK.prepare(low, factor, multiple)
    assert all(n % multiple == 0 for n in measurement.base.shape)
    result = finished(measurement, "base", low, factor, "base")
    assert result.shape == TASK.grid(low, factor).shape
    again = TASK.degrade(result, factor)
    assert again.same_grid(low)
    assert np.allclose(again.data, low.data, atol=1e-3)


def test_the_result_lies_on_the_grid_that_was_degraded():
    fine = blob((24, 32, 36), oblique_affine())
    low = TASK.degrade(fine, (4, 4, 4))
    measurement = TASK.prepare(low, (4, 4, 4), 8)
    result = finished(measurement, "base", low, (4, 4, 4), "base")
    assert result.same_grid(fine)
    assert (result.name, result.modality, result.units) == ("base", "T1w", "a.u.")


@pytest.mark.parametrize("shape", [(1, 1, 2), (3, 5, 7), (2, 9, 4), (1, 30, 31)])
def test_odd_and_tiny_inputs_are_padded_and_cut_back(shape):
    source = Volume.from_array(np.random.default_rng(1).uniform(1, 2, shape), spacing_mm=(4, 4, 4))
    measurement = TASK.prepare(source, (4, 4, 4), 8)
    assert min(measurement.observed.y.shape) >= 4
    result = finished(measurement, "base", source, (4, 4, 4), "r")
    assert result.shape == tuple(4 * n for n in shape)
    assert np.allclose(TASK.degrade(result, (4, 4, 4)).data, source.data, atol=1e-4)


def test_model_space_runs_from_zero_to_the_percentile_and_nothing_is_clipped():
    data = np.random.default_rng(0).uniform(0, 1, (12, 12, 12))
    data[3, 4, 5] = 50.0
    source = Volume.from_array(data)
    measurement = TASK.prepare(source, (2, 2, 2), 1)
    means = measurement.observed.y / measurement.observed.operator.gain
    assert measurement.intensity.to_model(torch.tensor(0.0)) == -1
    assert float(means.max()) > 10
    assert np.allclose(measurement.intensity.to_physical(means).numpy(), source.data, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_a_constant_volume_is_refused(value):
    with pytest.raises(VolumeError, match=r"flat: values from .* accepted is an image with varying"):
        TASK.prepare(Volume.from_array(np.full((4, 4, 4), value), name="flat"), (4, 4, 4), 1)


def test_bad_factors_and_too_small_volumes_are_refused():
    with pytest.raises(VolumeError, match=r"factor: found \(0, 4, 4\)"):
        TASK.degrade(blob(), (0, 4, 4))
    with pytest.raises(VolumeError, match=r"shape \(3, 8, 8\) is smaller than one block of \(4, 4, 4\)"):
        TASK.degrade(Volume.from_array(np.ones((3, 8, 8))), (4, 4, 4))


def test_regridding_there_and_back_is_the_identity():
    affine = oblique_affine()
    assert np.allclose(regridded(regridded(affine, [4, 2, 1]), [1 / 4, 1 / 2, 1]), affine)


def test_unknown_tasks_are_named_with_those_that_exist():
    assert next(iter(TASKS)) == "super-resolution"
    with pytest.raises(SettingsError, match="'magic', accepted are super-resolution"):
        get_task("magic")
