"""Contrast removal in the comparison: procedural patients, errors in HU, figures in a CT window."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.small_suites import no_fetched, run
from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.evaluation.cases import load_cases
from napari_vol2vol.evaluation.figure import Shown, draw
from napari_vol2vol.evaluation.phases import errors_in_hounsfield, regions_of
from napari_vol2vol.evaluation.report import write_report
from napari_vol2vol.evaluation.rows import Ledger, Row
from napari_vol2vol.evaluation.suite import Suite, load_suite
from napari_vol2vol.evaluation.suite_entries import Phantom, SystemEntry, TorsoPhantom, View, VolumeEntry
from napari_vol2vol.evaluation.tables import as_markdown
from napari_vol2vol.io import write_volume
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.sampling.flow import FLOW_SAMPLERS
from napari_vol2vol.tasks import get_task
from napari_vol2vol.volume import Volume

TORSO = TorsoPhantom(960009, (16, 48, 56), (8.0, 7.0, 7.0), noise=5.0)


def suite_of(**changes):
    values = {
        "name": "phases", "task": "contrast-removal", "target": "native", "inputs": ("CT",), "samples": 1,
        "volumes": (VolumeEntry("patient", torso=TORSO),), "systems": (SystemEntry("identity"),),
        "device": "cpu", "precision": "float32", "view": View(zoom_size=8, window="abdomen"),
    }  # fmt: skip
    return Suite(**(values | changes))


@pytest.fixture(scope="module")
def pair():
    return make_torso_pair(TORSO.seed, TORSO.shape, TORSO.spacing_mm, breathing_mm=0.0, noise=5.0)


@pytest.fixture(scope="module")
def case():
    (case,) = load_cases(suite_of(), no_fetched)
    return case


def test_a_torso_is_removed_from_its_arterial_phase_and_held_to_the_native_one(case, pair):
    np.testing.assert_array_equal(case.source.data, pair.contrast)
    assert (case.source.modality, case.source.units, case.source.spacing_mm) == ("CT", "HU", TORSO.spacing_mm)
    np.testing.assert_allclose(case.reference.data, (pair.native + 1000) / 2000, atol=1e-5)
    assert (case.unit, case.zero, dict(case.conditions)) == (2000.0, -1000.0, {})


def test_addition_is_the_same_patient_the_other_way(case):
    (back,) = load_cases(suite_of(task="contrast-addition", target="arterial"), no_fetched)
    np.testing.assert_allclose(case.scaled(back.source).data, case.reference.data, atol=1e-5)
    np.testing.assert_allclose(case.scaled(case.source).data, back.reference.data, atol=1e-5)


def test_regions_are_the_labels_of_the_patient(case, pair):
    vessels, organs = case.regions["vessels"], case.regions["organs"]
    np.testing.assert_array_equal(vessels, pair.torso.mask("aorta", "artery", "heart chamber"))
    assert pair.torso.mask("liver")[organs].any()
    assert not (vessels & organs).any()


def test_the_digest_follows_the_regions(case):
    other = replace(case, regions={**case.regions, "organs": ~case.regions["organs"]})
    assert other.digest() != case.digest()


def test_errors_in_hounsfield_units_are_those_of_the_voxels(case, pair):
    found = errors_in_hounsfield(case.scaled(case.source), case.reference, case.unit, case.regions)
    error = np.abs(pair.contrast - pair.native)
    assert found["mae_hu"] == pytest.approx(error.mean(), rel=1e-4)
    for name, mask in case.regions.items():
        assert found[f"mae_hu_{name}"] == pytest.approx(error[mask].mean(), rel=1e-4)
    assert found["mae_hu_vessels"] > 100 > found["mae_hu_organs"] > found["mae_hu"]
    without = errors_in_hounsfield(case.scaled(case.source), case.reference, case.unit, {})
    assert without == {"mae_hu": found["mae_hu"], "mae_hu_vessels": None, "mae_hu_organs": None}


def test_the_table_states_range_and_regions_and_the_row_survives_the_file(case, tmp_path):
    suite = suite_of()
    cases, (row,) = run(suite, tmp_path)
    assert row.psnr_mean == pytest.approx(
        -10 * np.log10(np.square(case.scaled(case.source).data - case.reference.data).mean()), abs=1e-3
    )
    text = as_markdown(write_report(suite, cases, [row], tmp_path))
    assert "native from the arterial phase" in text
    assert "data range 1: 2000 HU, from -1000 HU on, as in the paper" in text
    assert "vessels: aorta, artery, heart chamber; organs: liver" in text
    assert "| MAE / HU | in vessels | in organs |" in text
    assert f"{row.mae_hu_vessels:.2f}" in text
    assert Ledger(tmp_path / "rows.jsonl").get(row.digest) == row


def test_rows_of_before_are_read_without_figures_in_hounsfield_units(tmp_path):
    _, (row,) = run(suite_of(), tmp_path)
    values = {k: v for k, v in row.as_dict().items() if not k.startswith("mae_hu")}
    assert Row.from_dict(values) == replace(row, mae_hu=None, mae_hu_vessels=None, mae_hu_organs=None)
    with pytest.raises(KeyError, match="seconds"):
        Row.from_dict({k: v for k, v in values.items() if k != "seconds"})


def test_figures_show_source_and_result_in_the_same_window(case):
    figure = draw(suite_of(), case, [Shown("identity", "", case.scaled(case.source).data)])
    panels = {axes.get_label(): axes for axes in figure.axes}
    for column in ("reference", "input CT", "identity"):
        (image,) = panels[f"axial/slice/{column}"].images
        low, high = (2000 * v - 1000 for v in image.get_clim())
        assert (low, high) == pytest.approx((-160, 240), abs=0.1)
    (given,) = panels["axial/slice/input CT"].images
    (result,) = panels["axial/slice/identity"].images
    np.testing.assert_allclose(given.get_array(), result.get_array())
    assert "data range 2000 HU" in " ".join(text.get_text() for text in figure.texts)


def test_phases_from_files_may_bring_their_regions(pair, tmp_path):
    regions = np.zeros(TORSO.shape, np.float32)
    regions[pair.torso.mask("aorta")] = 1
    files = {"native": pair.native, "CT": pair.contrast, "regions": regions}
    for name, array in files.items():
        write_volume(Volume.from_array(array, TORSO.spacing_mm), tmp_path / f"{name}.nii.gz")
    names = {name: f"{name}.nii.gz" for name in files}
    (case,) = load_cases(suite_of(volumes=(VolumeEntry("p", names),), folder=tmp_path), no_fetched)
    assert list(case.regions) == ["vessels"]
    np.testing.assert_array_equal(case.regions["vessels"], pair.torso.mask("aorta"))
    write_volume(Volume.from_array(regions[:8], TORSO.spacing_mm), tmp_path / "short.nii.gz")
    names["regions"] = "short.nii.gz"
    with pytest.raises(VolumeError, match="volume p, modality regions"):
        list(load_cases(suite_of(volumes=(VolumeEntry("p", names),), folder=tmp_path), no_fetched))
    assert regions_of(None) == {}


def test_the_shipped_suite_has_held_out_patients_and_every_system_and_solver_of_the_task():
    suite = load_suite("ct-contrast")
    no_bundle_ships = {"mfm-fusion"}
    assert {entry.system for entry in suite.systems} == set(get_task(suite.task).systems) - no_bundle_ships
    assert {entry.solver for entry in suite.systems} >= {"rk2", "euler", "midpoint", "rk4", "adams"}
    assert {s for s in (entry.solver for entry in suite.systems) if s} <= {*FLOW_SAMPLERS, "ddim"}
    assert [v.torso.seed for v in suite.volumes] == [960001, 960002, 960003]
    assert suite.baseline == "identity"
    assert all(n % 16 == 0 for v in suite.volumes for n in v.torso.shape)  # every network pads alike


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"volumes": (VolumeEntry("a", phantom=Phantom(1)),)},
            "phantom: found a head, task contrast-removal",
        ),
        ({"target": "FLAIR"}, "target: found FLAIR, task contrast-removal accepts native"),
        ({"inputs": ("T1w",)}, r"inputs: found \['T1w'\], task contrast-removal accepts \[CT\]"),
        (
            {"task": "modality-translation", "target": "FLAIR", "inputs": ("T1w",)},
            "torso: found one, task modality-translation accepts heads",
        ),
    ],
)
def test_volumes_of_another_task_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        suite_of(**changes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, "seed: found -1"),
        ({"seed": 1, "shape": (4, 40, 40)}, "shape: found .* of at least 16"),
        ({"seed": 1, "spacing_mm": (1.0, 2.0)}, "spacing_mm: found .* three numbers"),
        ({"seed": 1, "spacing_mm": (1.0, 2.0, 0.0)}, "spacing_mm: found 0.0, accepted is a number above 0"),
        ({"seed": 1, "noise": -3}, "noise: found -3, accepted is a number above 0"),
    ],
)
def test_a_torso_that_cannot_be_made_is_refused(values, message):
    with pytest.raises(SettingsError, match=message):
        TorsoPhantom(**values)


def test_one_kind_of_volume_is_enough():
    with pytest.raises(SettingsError, match="phantom and torso: found 2, accepted is one of them"):
        VolumeEntry("a", phantom=Phantom(1), torso=TORSO)
