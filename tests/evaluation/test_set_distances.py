from dataclasses import replace

import numpy as np
import pytest

from napari_vol2vol.evaluation.compare import folder_of
from napari_vol2vol.evaluation.set_distances import real_versus_real, set_distances
from napari_vol2vol.io import read_volume
from napari_vol2vol.metrics import frechet_distance, volume_mmd


def slices_as_features(volume):
    """Mean and standard deviation of every axial slice."""
    return np.stack([volume.mean((1, 2)), volume.std((1, 2))], axis=1)


def shifted(case, name, by):
    reference = case.reference
    return replace(case, name=name, reference=reference.with_data(reference.data + np.float32(by)))


def test_volume_mmd_is_that_of_the_first_samples_and_the_references(compared):
    _, cases, rows, output = compared
    found = set_distances(cases, rows, output)
    assert list(found) == ["trilinear", "smooth-inverse", "tpdm", "palette"]
    for system in ("trilinear", "tpdm"):
        own = [row for row in rows if row.system == system]
        made = [read_volume(folder_of(output, row) / "sample-01.nii.gz").data for row in own]
        expected = volume_mmd(made, [c.reference.data for c in cases], unbiased=False)
        assert found[system].volume_mmd.value == pytest.approx(expected.value, rel=1e-6)
        assert (found[system].volume_mmd.n_a, found[system].volume_mmd.d) == (2, 16**3)
    assert found["smooth-inverse"].volume_mmd.value < found["trilinear"].volume_mmd.value
    assert found["tpdm"].frechet is None


def test_feature_distances_come_with_the_number_of_rows(compared):
    _, cases, rows, output = compared
    found = set_distances(cases, rows, output, slices_as_features)["trilinear"]
    own = [row for row in rows if row.system == "trilinear"]
    made = [read_volume(folder_of(output, row) / "mean.nii.gz").data for row in own]  # one answer is its mean
    a, b = (
        np.vstack([slices_as_features(v) for v in vs]) for vs in (made, [c.reference.data for c in cases])
    )
    assert found.frechet.value == pytest.approx(frechet_distance(a, b).value, rel=1e-6)
    assert (found.frechet.n_a, found.kernel.n_b, found.kernel.d) == (32, 32, 2)


def test_a_system_that_misses_a_volume_has_no_distance(compared):
    _, cases, rows, output = compared
    assert "palette" not in set_distances(cases, rows[:-1], output)


def test_one_volume_or_blocks_of_two_shapes_have_no_volume_mmd(compared):
    _, cases, rows, output = compared
    assert set_distances(cases[:1], rows, output)["trilinear"].volume_mmd is None
    small = cases[1].reference
    small = small.with_data(small.data[:12], affine=small.affine)
    mixed = [cases[0], replace(cases[1], reference=small)]
    assert set_distances(mixed, rows, output)["trilinear"].volume_mmd is None


def test_real_versus_real_compares_whole_volumes_of_both_halves(compared):
    _, (case, _), _, _ = compared
    cases = [shifted(case, str(i), by) for i, by in enumerate((0.0, 0.1, 0.0, 0.1, 5.0))]
    found = real_versus_real(cases, slices_as_features)
    assert found.volume_mmd.value == pytest.approx(16**3 * 0.1**2, rel=1e-3)
    assert (found.volume_mmd.n_a, found.volume_mmd.n_b) == (2, 2)
    assert found.frechet.value == pytest.approx(0.1**2, rel=1e-3)
    assert found.frechet.n_a == 2 * 16


def test_too_few_references_have_no_halves(compared):
    _, cases, _, _ = compared
    assert real_versus_real(cases).volume_mmd is None
    assert real_versus_real(cases[:1], slices_as_features).frechet is None
