import sys

import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.io.raw_write import write_measured
from napari_vol2vol.physics.reconstructions import zero_filled
from napari_vol2vol.tasks import get_task
from napari_vol2vol.tasks.mri_acquisition import MriLoading, MriSimulation, smooth_phase
from napari_vol2vol.volume import Volume
from reconstruction_volumes import small_head, small_torso

TASK = get_task("mri-reconstruction")
REAL = MriSimulation(acceleration=3.0, acs=0.2, noise=0.0)
COMPLEX = MriSimulation(acceleration=2.0, mask="uniform1d", coils=3, phase="smooth", noise=0.0, acs=0.1)


def truth_of(head, m, how):
    image = torch.from_numpy(head.data) / (m.intensity.scale / 2)
    if how.phase == "none":
        return image
    turned = torch.polar(image, smooth_phase(head.shape, how.measurement_seed))
    return torch.stack([turned.real, turned.imag])


@pytest.mark.parametrize("how", [REAL, COMPLEX], ids=["real", "complex"])
def test_without_noise_the_truth_has_no_residual_in_model_space(how):
    head = small_head()
    m = TASK.prepare(TASK.degrade(head, how), (1, 1, 1), 1)
    truth = truth_of(head, m, how)
    assert truth.shape == m.plain.shape
    assert m.relative_residual(truth) < 1e-5
    assert m.relative_residual(m.plain) > 0.01
    assert np.allclose(m.physical(truth).numpy(), head.data, atol=1e-3)


@pytest.mark.parametrize("how", [REAL, COMPLEX], ids=["real", "complex"])
def test_the_source_is_the_zero_filled_image_whose_percentile_is_one_in_model_space(how):
    source = TASK.degrade(small_head(), how)
    m = TASK.prepare(source, (1, 1, 1), 1)
    expected = m.physical(zero_filled(m.observed.operator, m.observed.y)).numpy()
    assert np.allclose(source.data, expected, atol=1e-3)
    assert np.percentile(np.abs(m.shown(m.plain).numpy()), 99.5) == pytest.approx(1.0, abs=1e-4)


def test_the_noise_is_what_is_stated_for_an_image_from_0_to_1():
    head = small_head(40)
    how = MriSimulation(mask="uniform1d", acceleration=2.0, noise=0.02)
    m = TASK.prepare(TASK.degrade(head, how), (1, 1, 1), 1)
    error = (m.observed.y - m.observed.operator(truth_of(head, m, how)))[..., m.observed.operator.mask]
    top = np.percentile(head.data, 99.5) / (
        m.intensity.scale / 2
    )  # of the truth, over that of the zero-filled
    assert m.observed.sigma == pytest.approx(0.02 * top, rel=1e-5)
    assert float(error.real.std()) == pytest.approx(m.observed.sigma, rel=0.05)
    assert float(error.imag.std()) == pytest.approx(m.observed.sigma, rel=0.05)


def test_a_poisson_mask_is_shared_by_the_slices_or_each_has_its_own():
    shared = TASK.degrade(small_head(), REAL).measured
    each = TASK.degrade(small_head(), MriSimulation("poisson2d", 3.0, 0.2)).measured
    assert shared.mask.shape == (22, 26)
    assert each.mask.shape == (5, 22, 26)
    assert np.abs(each.mask[0].astype(int) - each.mask[1]).sum() > 0
    assert shared.acceleration == pytest.approx(3.0, abs=0.05)


def test_a_mask_from_a_file_is_taken_as_it_is(tmp_path):
    mask = np.zeros((22, 26), bool)
    mask[:, ::2] = True
    np.save(tmp_path / "mask.npy", mask)
    how = MriSimulation("file", mask_file=str(tmp_path / "mask.npy"))
    assert np.array_equal(TASK.degrade(small_head(), how).measured.mask, mask)


def test_kspace_from_a_file_is_prepared_as_the_simulated_one(tmp_path):
    source = TASK.degrade(small_head(), COMPLEX)
    path = tmp_path / "scan.npz"
    write_measured(source.measured, path)
    loaded = TASK.load(path, MriLoading(coil_maps=str(path), sigma=source.measured.sigma))
    one, other = (TASK.prepare(s, (1, 1, 1), 1) for s in (source, loaded))
    assert torch.equal(one.observed.y, other.observed.y)
    assert torch.equal(one.plain, other.plain)
    assert one.observed.sigma == other.observed.sigma
    assert np.array_equal(loaded.data, source.data)


def test_a_3d_acquisition_falls_into_slices_along_its_readout(tmp_path):
    head = small_head().data
    whole = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(head), norm="ortho"))
    mask = np.zeros(head.shape[1:], bool)
    mask[2:20, 3:23] = True
    np.savez(tmp_path / "scan.npz", kspace=(whole * mask).astype(np.complex64))
    loaded = TASK.load(tmp_path / "scan.npz", MriLoading(readout="z"))
    assert loaded.measured.mask.shape == mask.shape
    expected = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(head, (1, 2)), norm="ortho"), (1, 2)) * mask
    assert np.allclose(loaded.measured.kspace[0], expected, atol=1e-3)
    m = TASK.prepare(loaded, (1, 1, 1), 1)
    assert m.plain.shape == (2, *head.shape)
    assert m.observed.sigma is None


def test_mask_and_kspace_can_be_looked_at():
    source = TASK.degrade(small_head(), REAL)
    pictures = TASK.pictures(source)
    assert set(pictures) == {"mask", "k-space"}
    assert all(p.same_grid(source) and p.measured is None for p in pictures.values())
    assert set(np.unique(pictures["mask"].data)) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MriSimulation(mask="spiral"), SettingsError, "mask: found 'spiral', accepted are poisson3d"),
        (lambda: MriSimulation(acceleration=0.5), SettingsError, "acceleration: found 0.5"),
        (lambda: MriSimulation("file"), SettingsError, "mask, mask_file: found 'file' and ''"),
        (
            lambda: TASK.degrade(small_head(), MriSimulation(acceleration=60.0, acs=0.9)),
            SettingsError,
            "acceleration: found 60.0 on",
        ),
        (lambda: TASK.degrade(Volume.from_array(np.ones((3, 8, 8)))), VolumeError, "accepted is an image"),
        (lambda: TASK.prepare(small_torso(), (1, 1, 1), 1), VolumeError, "a volume with its k-space"),
        (
            lambda: get_task("super-resolution").load("scan.npz"),
            SettingsError,
            "scan.npz: found raw data, task super-resolution accepts volumes",
        ),
    ],
)
def test_bad_inputs_are_named_with_what_is_accepted(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_mask_of_another_shape_is_refused(tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((8, 8)))
    with pytest.raises(SettingsError, match=r"mask_file: found shape \(8, 8\), accepted are \(22, 26\)"):
        TASK.degrade(small_head(), MriSimulation("file", mask_file=str(tmp_path / "mask.npy")))


def test_kspace_without_signal_is_refused(tmp_path):
    mask = np.ones((4, 6), bool)
    np.savez(tmp_path / "scan.npz", kspace=np.zeros((1, 2, 4, 6), np.complex64), mask=mask)
    with pytest.raises(VolumeError, match="k-space: found no signal"):
        TASK.prepare(TASK.load(tmp_path / "scan.npz"), (1, 1, 1), 1)


def test_several_coils_without_maps_ask_for_the_package_that_estimates_them(tmp_path, monkeypatch):
    for name in ("sigpy", "sigpy.mri.app"):
        monkeypatch.setitem(sys.modules, name, None)
    source = TASK.degrade(small_head(), COMPLEX)
    write_measured(source.measured, tmp_path / "scan.npz")
    with pytest.raises(SettingsError, match="coil maps: ESPIRiT needs sigpy, which is not installed"):
        TASK.load(tmp_path / "scan.npz", MriLoading(calibration=16))
