import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.tasks import get_task
from napari_vol2vol.tasks.modality_translation import TOP
from napari_vol2vol.volume import Volume

TASK = get_task("modality-translation")
GUIDED = get_task("multi-contrast-super-resolution")
ONE = (1, 1, 1)


def head(modality, seed=0, shape=(9, 11, 13), affine=None):
    data = np.random.default_rng(seed).gamma(2.0, 50.0, shape)
    return Volume.from_array(data, affine=affine, modality=modality, name=modality or "scan")


def test_the_source_takes_the_place_of_its_modality_and_others_come_as_conditions():
    t1, t1ce = head("T1w", 1), head("T1ce", 2)
    m = TASK.prepare(t1, ONE, 8, ("T1ce", "T1w"), {"T1ce": t1ce})
    assert list(m.conditions) == ["T1ce", "T1w"]
    assert m.observed is None
    assert all(n % 8 == 0 for n in m.shape)
    for name, volume in (("T1w", t1), ("T1ce", t1ce)):
        expected = 2 * volume.data / np.percentile(volume.data, 99.5) - 1
        np.testing.assert_allclose(m.condition([name])[0][m.crop].numpy(), expected, atol=1e-5)


def test_a_single_input_takes_the_source_whatever_its_modality():
    m = TASK.prepare(head(None), ONE, 4, ("T1ce",))
    assert list(m.conditions) == ["T1ce"]


def test_a_missing_input_is_named_with_those_that_are_there():
    with pytest.raises(VolumeError, match="found T1w, the bundle also needs T2w, FLAIR"):
        TASK.prepare(head("T1w"), ONE, 4, ("T1w", "T2w", "FLAIR"))


def test_an_input_on_another_grid_is_refused_with_the_way_out():
    shifted = np.eye(4)
    shifted[0, 3] = 2
    with pytest.raises(VolumeError, match=r"condition T2w T2w: found voxels up to 2 mm away.*--resample"):
        TASK.prepare(head("T1w"), ONE, 4, ("T1w", "T2w"), {"T2w": head("T2w", affine=shifted)})


def test_the_result_is_of_the_target_modality_on_the_grid_of_the_source():
    affine = np.diag([-1.0, 2, 3, 1])
    affine[:3, 3] = [5, 6, 7]
    source = head("T1ce", affine=affine)
    m = TASK.prepare(source, ONE, 8, ("T1ce",))
    result = TASK.finish(m.physical(torch.ones(m.shape)).numpy(), source, ONE, "made", "FLAIR")
    assert result.same_grid(source)
    assert (result.modality, result.name) == ("FLAIR", "made")
    assert np.allclose(result.data, TOP)


@pytest.mark.parametrize("gain", [0.01, 1.0, 300.0])
def test_a_reference_is_compared_whatever_its_scale(gain):
    """The same head in other units gives the same matched reference."""
    reference = head("FLAIR", 4)
    scaled = reference.with_data(reference.data * gain)
    np.testing.assert_allclose(TASK.match(scaled).data, TASK.match(reference).data, rtol=1e-5)
    assert np.percentile(TASK.match(scaled).data, 99.5) == pytest.approx(TOP, rel=1e-4)


def test_no_contrast_is_computed_from_another():
    with pytest.raises(SettingsError, match="cannot be computed from the result"):
        TASK.degrade(head("FLAIR"))


def test_guided_super_resolution_has_the_measurement_and_the_other_modality():
    fine, guide = head("FLAIR", 1, (16, 20, 24)), head("T1ce", 2, (16, 20, 24))
    low = GUIDED.degrade(fine, (4, 4, 4))
    m = GUIDED.prepare(low, (4, 4, 4), 8, ("base", "T1ce"), {"T1ce": guide})
    assert list(m.conditions) == ["base", "T1ce"]
    assert m.relative_residual(m.base) < 1e-5
    np.testing.assert_allclose(
        m.condition(["T1ce"])[0][m.crop].numpy(),
        2 * guide.data / np.percentile(guide.data, 99.5) - 1,
        atol=1e-5,
    )
    with pytest.raises(VolumeError, match="condition T1ce T1ce: found shape"):
        GUIDED.prepare(low, (4, 4, 4), 8, ("base", "T1ce"), {"T1ce": head("T1ce", 2, (16, 20, 25))})
