import numpy as np
import pytest

from evaluation.small_suites import no_fetched, small_suite, translation_suite
from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.evaluation.cases import load_cases
from napari_vol2vol.evaluation.suite_entries import Phantom, VolumeEntry
from napari_vol2vol.io import write_volume
from napari_vol2vol.tasks import get_task


def only_case(suite, find=no_fetched):
    (case,) = load_cases(suite, find)
    return case


def entry(name="one", **values):
    return (VolumeEntry(name, **values),)


def test_super_resolution_starts_from_block_means_of_the_scaled_reference(head, head_folder):
    case = only_case(small_suite(head_folder, volumes=entry(files={"T1w": "head.nii.gz"})))
    top = np.percentile(head.data, 99.5)
    expected = np.clip(head.data / top, 0, 1)[8:24, 10:26, 12:28]
    assert np.allclose(case.reference.data, expected, atol=1e-6)
    assert case.source.same_grid(get_task("super-resolution").degrade(case.reference))
    assert np.allclose(case.source.data, expected.reshape(4, 4, 4, 4, 4, 4).mean((1, 3, 5)), atol=1e-6)
    assert (case.reference.modality, case.unit, case.reference.source) == ("T1w", 1.0, None)


def test_a_volume_that_is_no_whole_number_of_blocks_loses_its_far_end(head_folder):
    entries = entry(files={"T1w": "head.nii.gz"}, block=18)
    assert only_case(small_suite(head_folder, volumes=entries)).reference.shape == (16, 16, 16)


def test_a_fetched_volume_is_found_by_its_name(head_folder):
    asked = []

    def find(names):
        asked.append(names)
        return [head_folder / "head.nii.gz"]

    case = only_case(small_suite(head_folder, volumes=entry("colin27")), find)
    assert asked == [("colin27",)]
    assert case.reference.name == "colin27"


def test_translation_starts_from_the_first_input_and_is_held_to_the_target():
    case = only_case(translation_suite())
    assert case.source.modality == "T1ce"
    assert case.source.same_grid(case.reference)
    assert np.percentile(case.reference.data, 99.5) == pytest.approx(1, abs=1e-4)
    assert case.unit == pytest.approx(1000, rel=1e-4)
    doubled = case.reference.with_data(case.reference.data * 2 * case.unit)
    assert np.allclose(case.scaled(doubled).data, 2 * case.reference.data, rtol=1e-5)
    assert abs(np.corrcoef(case.source.data.ravel(), case.reference.data.ravel())[0, 1]) < 0.999


def test_further_inputs_are_conditions(head_folder):
    suite = translation_suite(inputs=("T1ce", "T2w"), volumes=entry(phantom=Phantom(910001, (40, 40, 40))))
    case = only_case(suite)
    assert (case.source.modality, list(case.conditions)) == ("T1ce", ["T2w"])
    guided = small_suite(
        head_folder, task="multi-contrast-super-resolution", inputs=("T2w",), baseline="",
        systems=(small_suite(head_folder).systems[0],), volumes=entry(phantom=Phantom(910001, (40, 40, 40))),
    )  # fmt: skip
    assert list(only_case(guided).conditions) == ["T2w"]
    assert only_case(guided).source.shape == (4, 4, 4)


def test_what_is_missing_is_named(head_folder):
    lacking = Phantom(1, (24, 24, 24), contrasts=("T1ce",))
    with pytest.raises(SettingsError, match=r"volume one: phantom: contrasts: found T1ce, .* needs FLAIR"):
        only_case(translation_suite(volumes=entry(phantom=lacking)))
    with pytest.raises(SettingsError, match=r"volume one: files: found T1ce, .* needs FLAIR"):
        only_case(translation_suite(volumes=entry(files={"T1ce": "head.nii.gz"}), folder=head_folder))
    with pytest.raises(SettingsError, match="volume one: found one modality, FLAIR; the inputs T1ce need"):
        only_case(translation_suite(volumes=entry()))


def test_modalities_on_different_grids_are_refused(head, head_folder, tmp_path):
    write_volume(head, tmp_path / "a.nii.gz")
    write_volume(get_task("super-resolution").degrade(head), tmp_path / "b.nii.gz")
    files = {"T1ce": "a.nii.gz", "FLAIR": "b.nii.gz"}
    with pytest.raises(VolumeError, match="volume one, modality T1ce"):
        only_case(translation_suite(volumes=entry(files=files), folder=tmp_path))


def test_the_digest_follows_the_voxels(head_folder):
    one, two = load_cases(small_suite(head_folder), no_fetched)
    assert one.digest() == two.digest()
    other = only_case(small_suite(head_folder, volumes=entry(files={"T1w": "head.nii.gz"}, block=20)))
    assert other.digest()["reference"] != one.digest()["reference"]
