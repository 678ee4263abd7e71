import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.cases import load_cases
from napari_vol2vol.evaluation.scans import isotropic, on_one_grid
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.suite_entries import SystemEntry, VolumeEntry
from napari_vol2vol.io import write_volume
from napari_vol2vol.volume import Volume


def ramp(shape, spacing):
    """A volume whose value is the x coordinate in mm, wherever its voxels lie."""
    empty = Volume.from_array(np.zeros(shape, np.float32), spacing)
    index = np.arange(shape[2])
    x = empty.affine[0, 0] * index + empty.affine[0, 3]
    return empty.with_data(np.broadcast_to(x.astype(np.float32) + 50, shape).copy())


def saved(folder, **volumes):
    paths = {name: folder / f"{name}.nii.gz" for name in volumes}
    for name, volume in volumes.items():
        write_volume(volume, paths[name])
    return paths


def test_cubes_keep_the_field_of_view_and_every_voxel_in_its_place():
    volume = ramp((8, 12, 16), (2.0, 0.5, 0.5))
    cubes = isotropic(volume, 1.0)
    assert cubes.shape == (16, 6, 8)
    assert cubes.spacing_mm == pytest.approx((1, 1, 1))
    x = cubes.affine[0, 0] * np.arange(8) + cubes.affine[0, 3] + 50
    np.testing.assert_allclose(cubes.data[3, 3], x, atol=1e-4)


def test_series_of_other_voxels_come_onto_the_grid_of_the_target(tmp_path):
    files = saved(tmp_path, T1w=ramp((10, 12, 12), (1, 1, 1)), PD=ramp((5, 24, 24), (2.0, 0.5, 0.5)))
    found = on_one_grid(files, "T1w", None)
    assert found["PD"].same_grid(found["T1w"])
    assert found["PD"].modality == "PD"
    inner = (slice(2, -2),) * 3
    shift = found["PD"].data[inner] - found["T1w"].data[inner]
    np.testing.assert_allclose(shift, shift.mean(), atol=1e-3)  # both say where they are


def test_a_suite_takes_the_modalities_of_a_patient_from_fetched_volumes(tmp_path):
    rng = np.random.default_rng(0)
    shape = (24, 24, 24)
    one, two = (Volume.from_array(rng.gamma(2.0, 50.0, shape).astype(np.float32)) for _ in range(2))
    saved(tmp_path, **{"scan-t1": one, "scan-pd": two})
    entry = VolumeEntry("patient", fetched={"T1w": "scan-t1", "PD": "scan-pd"}, spacing_mm=1.0, block=16)

    def find(names):
        assert set(names) == {"scan-t1", "scan-pd"}
        return [tmp_path / f"{n}.nii.gz" for n in names]

    suite = Suite("pair", "modality-translation", "T1w", (entry,), (SystemEntry("identity"),), inputs=("PD",))
    (case,) = load_cases(suite, find)
    assert case.source.modality == "PD"
    assert case.source.shape == case.reference.shape == (16, 16, 16)
    np.testing.assert_allclose(case.source.data, two.data[4:20, 4:20, 4:20], rtol=1e-3)
    lacking = VolumeEntry("patient", fetched={"T1w": "scan-t1"})
    suite = Suite("pair", suite.task, "T1w", (lacking,), suite.systems, inputs=("PD",))
    with pytest.raises(SettingsError, match="patient: fetched: found T1w, the suite also needs PD"):
        list(load_cases(suite, lambda names: [tmp_path / f"{n}.nii.gz" for n in names]))


def test_an_entry_has_one_origin():
    with pytest.raises(SettingsError, match="files and fetched: found 2, accepted is one of them"):
        VolumeEntry("a", files={"T1w": "x"}, fetched={"T1w": "y"})
    with pytest.raises(SettingsError, match="spacing_mm: found 0, accepted is a number above 0"):
        VolumeEntry("a", fetched={"T1w": "y"}, spacing_mm=0)
