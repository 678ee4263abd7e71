import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.io.raw_write import write_measured
from napari_vol2vol.options import options_of
from napari_vol2vol.physics.filtered_back_projection import filtered_back_projection
from napari_vol2vol.physics.hounsfield import to_attenuation
from napari_vol2vol.physics.parallel_beam import ParallelBeam
from napari_vol2vol.tasks import get_task
from napari_vol2vol.tasks.ct_acquisition import CtLoading, CtSimulation
from napari_vol2vol.volume import Volume
from reconstruction_volumes import small_head, small_torso

TASK = get_task("sparse-view-ct")
EXACT = CtSimulation(views=24, noise=0.0)
NEAR = CtSimulation(60, 360.0, geometry="fan", source_distance_mm=9.0)


def model_of(volume):
    return torch.from_numpy((volume.data + 1000) / 3000)


def test_without_noise_the_truth_has_no_residual_in_model_space():
    torso = small_torso()
    m = TASK.prepare(TASK.degrade(torso, EXACT), (1, 1, 1), 1)
    assert m.relative_residual(model_of(torso)) < 1e-6
    assert m.relative_residual(m.plain) > 0.005
    assert np.allclose(m.physical(model_of(torso)).numpy(), torso.data, atol=1e-3)


def test_the_sinogram_holds_line_integrals_of_the_attenuation():
    water = Volume.from_array(np.zeros((1, 9, 9)) - 1000.0 * (np.indices((1, 9, 9))[2] != 4), (1, 2, 2))
    scan = TASK.degrade(water, CtSimulation(views=1, noise=0.0, bins=9)).measured
    expected = to_attenuation(0.0) * 9 * 2.0  # nine pixels of 2 mm of water
    assert scan.sinogram.max() == pytest.approx(expected, rel=1e-5)
    assert scan.sinogram.sum() == pytest.approx(expected, rel=1e-5)


def test_the_noise_is_the_share_of_the_mean_sinogram_that_is_stated():
    torso = small_torso(40)
    how = CtSimulation(views=24, noise=0.02)
    m = TASK.prepare(TASK.degrade(torso, how), (1, 1, 1), 1)
    clean = m.observed.operator(model_of(torso))
    assert m.observed.sigma == pytest.approx(0.02 * float(clean.mean()), rel=1e-5)
    assert float((m.observed.y - clean).std()) == pytest.approx(m.observed.sigma, rel=0.02)


def test_the_source_is_the_filtered_back_projection_in_hounsfield_units():
    torso = small_torso()
    source = TASK.degrade(torso, CtSimulation(views=24, measurement_seed=3))
    m = TASK.prepare(source, (1, 1, 1), 1)
    expected = 3000 * filtered_back_projection(m.observed.operator, m.observed.y) - 1000
    assert np.allclose(source.data, expected.numpy(), atol=1e-2)
    assert (source.units, source.modality) == ("HU", "CT")
    assert source.same_grid(torso)
    assert torch.equal(m.plain, TASK.prepare(source, (1, 1, 1), 1).plain)


def test_the_seed_decides_the_noise():
    torso = small_torso()
    scans = [TASK.degrade(torso, CtSimulation(views=6, measurement_seed=s)).measured for s in (0, 0, 1)]
    assert np.array_equal(scans[0].sinogram, scans[1].sinogram)
    assert np.abs(scans[0].sinogram - scans[2].sinogram).max() > 1e-3


@pytest.mark.parametrize("geometry", ["parallel", "fan"])
def test_a_sinogram_from_a_file_is_prepared_as_the_simulated_one(geometry, tmp_path):
    how = CtSimulation(views=24, geometry=geometry, range_deg=360.0, bin_mm=1.2, source_distance_mm=200.0)
    source = TASK.degrade(small_torso(), how)
    write_measured(source.measured, tmp_path / "scan.npz")
    loading = CtLoading(
        pixel_mm=1.5, slice_mm=3.0, rows=22, columns=26, bin_mm=1.2, geometry=geometry, range_deg=360.0,
        source_distance_mm=200.0, sigma=source.measured.sigma,
    )  # fmt: skip
    loaded = TASK.load(tmp_path / "scan.npz", loading)
    one, other = (TASK.prepare(s, (1, 1, 1), 1) for s in (source, loaded))
    assert torch.equal(one.observed.y, other.observed.y)
    assert torch.equal(one.plain, other.plain)
    assert one.observed.sigma == other.observed.sigma
    assert loaded.spacing_mm == (3.0, 1.5, 1.5)
    assert np.array_equal(loaded.data, source.data)
    assert "how the patient lay" in TASK.remarks(loaded)[0]
    assert TASK.remarks(source) == []


def test_the_padding_of_scanners_counts_as_vacuum():
    torso = small_torso()
    padded = torso.with_data(np.where(torso.data < -900, -3024, torso.data))
    assert np.array_equal(TASK.match(padded).data, torso.data)
    one, other = (TASK.degrade(v, EXACT).measured.sinogram for v in (torso, padded))
    assert np.array_equal(one, other)


def test_the_sinogram_can_be_looked_at():
    pictures = TASK.pictures(TASK.degrade(small_torso(), EXACT))
    assert pictures["sinogram"].shape[:2] == (5, 24)
    assert pictures["sinogram"].data.max() > 0


def test_the_projector_has_the_views_and_bins_asked_for():
    source = TASK.degrade(small_torso(), CtSimulation(views=10, range_deg=90.0, bins=31, bin_mm=3.0))
    projector = TASK.prepare(source, (1, 1, 1), 1).observed.operator
    assert isinstance(projector, ParallelBeam)
    assert (projector.views, projector.bins, projector.spacing) == (10, 31, 2.0)
    assert projector.angles_deg[-1] == pytest.approx(81.0)


def test_every_setting_has_words_for_the_user():
    for kind in (TASK.simulation, TASK.loading):
        assert all(o.words and o.label for o in options_of(kind))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CtSimulation(views=0), SettingsError, "views: found 0, accepted are whole numbers from 1"),
        (lambda: CtSimulation(noise=-1.0), SettingsError, "noise: found -1.0"),
        (lambda: CtSimulation(geometry="cone"), SettingsError, "geometry: found 'cone', accepted are"),
        (lambda: CtSimulation(geometry="fan"), SettingsError, "range_deg: found 180 for a fan beam"),
        (
            lambda: TASK.degrade(small_torso(), NEAR),
            SettingsError,
            "source_distance: found 6.0 pixels",
        ),
        (lambda: TASK.degrade(small_head()), VolumeError, "accepted is CT in Hounsfield units"),
        (
            lambda: TASK.degrade(Volume.from_array(small_torso().data, (1, 1, 2))),
            VolumeError,
            "accepted are square ones",
        ),
        (
            lambda: TASK.prepare(small_torso(), (1, 1, 1), 1),
            VolumeError,
            "torso: measurement: found a plain volume, accepted is a volume with its sinogram",
        ),
        (
            lambda: TASK.prepare(get_task("mri-reconstruction").degrade(
                small_head(), get_task("mri-reconstruction").simulation(mask="uniform1d", acceleration=2.0)
            ), (1, 1, 1), 1),
            VolumeError,
            "found a measurement of MRI",
        ),
    ],
)  # fmt: skip
def test_bad_inputs_are_named_with_what_is_accepted(make, error, message):
    with pytest.raises(error, match=message):
        make()
