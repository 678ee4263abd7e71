from dataclasses import replace

import numpy as np
import pytest

from evaluation.small_suites import no_fetched, run
from napari_vol2vol.errors import BundleError, SettingsError, VolumeError
from napari_vol2vol.evaluation.cases import load_cases
from napari_vol2vol.evaluation.figure import draw
from napari_vol2vol.evaluation.framing import frame_of
from napari_vol2vol.evaluation.report import write_report
from napari_vol2vol.evaluation.slabs import slab_of
from napari_vol2vol.evaluation.suite import Suite, load_suite
from napari_vol2vol.evaluation.suite_entries import Slab, SystemEntry, View, VolumeEntry
from napari_vol2vol.evaluation.tables import as_markdown
from napari_vol2vol.evaluation.trials import trials_of
from napari_vol2vol.io import write_volume
from napari_vol2vol.options import Option
from napari_vol2vol.systems.registry import SYSTEMS
from napari_vol2vol.tasks import get_task
from napari_vol2vol.volume import Volume
from prior_bundles import make_prior, use_only
from reconstruction_volumes import small_head, small_torso

SHIPPED = ("ct-60-views", "ct-18-views", "mri-poisson-8x", "mri-multicoil-4x")
D3IP = SystemEntry("d3ip", steps=2, options={"iterations": 1, "slices": 2})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("volumes")
    write_volume(small_torso(16), path / "torso.nii.gz")
    write_volume(small_head(16), path / "head.nii.gz")
    make_prior(path / "priors", 1)
    make_prior(path / "priors", 2)
    return path


@pytest.fixture(autouse=True)
def priors(folder, monkeypatch):
    use_only(folder / "priors", monkeypatch)


def ct_suite(folder, **changes):
    values = {
        "name": "ct", "task": "sparse-view-ct", "target": "CT", "slab": Slab(12, 24),
        "volumes": (VolumeEntry("torso", {"CT": "torso.nii.gz"}),), "simulation": {"views": 12},
        "systems": (SystemEntry("fbp"), D3IP), "samples": 1, "device": "cpu", "precision": "float32",
        "view": View(zoom_size=8, window="abdomen"), "folder": folder,
    }  # fmt: skip
    return Suite(**(values | changes))


def mri_suite(folder, **changes):
    values = {
        "name": "mri", "task": "mri-reconstruction", "target": "T1w",
        "volumes": (VolumeEntry("head", {"T1w": "head.nii.gz"}),),
        "systems": (SystemEntry("zero-filled"), D3IP),
        "simulation": {"mask": "uniform1d", "acceleration": 2.0, "coils": 2, "phase": "smooth"},
        "view": View(zoom_size=8),
    }  # fmt: skip
    return ct_suite(folder, **(values | changes))


def test_the_shipped_suites_measure_real_volumes_with_every_system_of_their_task():
    for name in SHIPPED:
        suite = load_suite(name)
        assert suite.name == name
        assert {entry.system for entry in suite.systems} == set(get_task(suite.task).systems)
        assert suite.measures
        assert suite.baseline == "dds"
        get_task(suite.task).simulation(**suite.simulation)
    assert load_suite("ct-18-views").simulation["views"] == 18


def test_a_slab_keeps_its_place_and_its_means():
    z, y, x = np.meshgrid(np.arange(20), np.arange(60), np.arange(90), indexing="ij")
    volume = Volume.from_array(z + 0.1 * y + 0.01 * x, (3, 2, 2), name="ramp")
    slab = slab_of(volume, Slab(6, 45))
    assert slab.shape == (6, 45, 45)
    assert slab.spacing_mm == pytest.approx((3, 4, 4))
    inner = slab.data[:, 12:33, 5:-5]
    points = np.stack(np.meshgrid(*(np.arange(n) for n in slab.shape), indexing="ij"), -1)[:, 12:33, 5:-5]
    where = (
        np.linalg.inv(volume.affine)
        @ slab.affine
        @ np.concatenate([points[..., ::-1].reshape(-1, 3).T, np.ones((1, inner.size))])
    )
    assert np.allclose(inner.ravel(), where[2] + 0.1 * where[1] + 0.01 * where[0], atol=0.02)
    assert np.all(slab.data[:, :6] == volume.data[7:13].min())  # filled up evenly where it is narrower
    with pytest.raises(VolumeError, match="ramp: found 20 axial slices, accepted are 24 or more"):
        slab_of(volume, Slab(24, 45))


def test_every_volume_of_a_shipped_suite_is_read_from_its_own_file_and_is_a_row_of_its_own(folder, tmp_path):
    suite = replace(load_suite("ct-60-views"), slab=Slab(12, 24), systems=(SystemEntry("fbp"),), baseline="")
    files = []
    for i, entry in enumerate(suite.volumes):
        torso = small_torso(16)
        files.append(tmp_path / f"{entry.name}.nii.gz")
        write_volume(torso.with_data(np.where(torso.data > 0, torso.data + 300 * i, torso.data)), files[i])
    asked = []
    cases = list(load_cases(suite, lambda names: asked.extend(names) or files))
    assert [c.name for c in cases] == asked == ["torso-2", "torso-3"]
    second, first = cases[1].source.data.max(), cases[0].source.data.max()
    assert second - first == pytest.approx(300, rel=0.3)
    assert len({t.digest() for case in cases for t in trials_of(suite, case)}) == 2


def test_a_case_is_measured_from_its_reference_and_ct_counts_from_vacuum(folder):
    (case,) = load_cases(ct_suite(folder), no_fetched)
    assert case.zero == -1000.0
    assert np.percentile(case.reference.data, 99.5) == pytest.approx(1.0)
    assert case.reference.data.min() == pytest.approx(0.0, abs=1e-6)
    hounsfield = case.reference.with_data(case.reference.data * case.unit + case.zero)
    assert np.allclose(case.scaled(hounsfield).data, case.reference.data, atol=1e-5)
    assert np.allclose(case.scaled(hounsfield, difference=True).data * case.unit, hounsfield.data, atol=1e-2)
    again = get_task("sparse-view-ct").degrade(hounsfield, get_task("sparse-view-ct").simulation(views=12))
    assert np.allclose(again.measured.sinogram, case.source.measured.sinogram, atol=1e-4)


def test_every_row_has_figures_of_the_measurement_and_the_table_states_it(folder, tmp_path):
    suite = ct_suite(folder)
    cases, rows = run(suite, tmp_path)
    fbp, d3ip = rows
    assert 0 < fbp.data_residual < 0.2
    assert (fbp.bundle, d3ip.bundle) == (None, "tiny-prior-1")
    assert fbp.psnr_single > d3ip.psnr_single  # its prior is untrained
    text = as_markdown(write_report(suite, cases, rows, tmp_path))
    assert "CT from views 12, range_deg 180.0, noise 0.01" in text
    assert f"above -1000 HU (torso {cases[0].unit:.4g})" in text
    assert "mean of N" not in text
    figure = draw(suite, cases[0], [])
    grey = next(a for a in figure.axes if a.get_label() == "axial/slice/reference").images[0]
    low, high = (v * cases[0].unit - 1000 for v in grey.get_clim())
    assert (low, high) == pytest.approx((-160, 240), abs=0.1)


def test_complex_measurements_take_a_prior_of_two_channels(folder, tmp_path):
    cases, rows = run(mri_suite(folder), tmp_path)
    assert rows[1].bundle == "tiny-prior-2"
    assert cases[0].source.measured.complex_image
    with pytest.raises(BundleError, match="tiny-prior-1 is a prior of images with 1"):
        trials_of(mri_suite(folder, bundle="tiny-prior-1"), cases[0])


def test_the_noise_of_the_measurement_decides_the_row(folder):
    def digest(**simulation):
        suite = ct_suite(folder, simulation={"views": 12, **simulation})
        (case,) = load_cases(suite, no_fetched)
        return trials_of(suite, case)[0].digest()

    assert digest() == digest(measurement_seed=0)
    assert digest() != digest(measurement_seed=1)


def test_a_default_that_changes_makes_a_new_row(folder, monkeypatch):
    suite = ct_suite(folder, simulation={"views": 12})
    (case,) = load_cases(suite, no_fetched)
    name = trials_of(suite, case)[0].request.system
    before = trials_of(suite, case)[0].digest()
    assert trials_of(suite, case)[0].digest() == before
    info = SYSTEMS[name]
    moved = Option("further", 1.0, "an option that was not there")
    monkeypatch.setitem(SYSTEMS, name, replace(info, options=(*info.options, moved)))
    assert trials_of(suite, case)[0].digest() != before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"simulation": {"vews": 3}}, "option: found vews, simulation: task sparse-view-ct accepts views"),
        ({"simulation": {"views": 0}}, "views: found 0"),
        ({"block": 16}, "block: found one, task sparse-view-ct accepts a slab"),
        (
            {"task": "super-resolution", "simulation": {}, "systems": (SystemEntry("trilinear"),)},
            "slab: found one",
        ),
    ],
)
def test_suites_that_cannot_be_run_are_refused(changes, message, folder):
    with pytest.raises(SettingsError, match=message):
        ct_suite(folder, **changes)


def test_a_window_of_the_figures_is_one_that_exists():
    with pytest.raises(SettingsError, match="window: found 'tooth', accepted are abdomen"):
        View(window="tooth")


def test_planes_of_a_thin_slab_are_not_drawn():
    assert [p.name for p in frame_of(View(), Volume.from_array(np.zeros((4, 40, 40)))).planes] == ["axial"]
    assert len(frame_of(View(), Volume.from_array(np.zeros((12, 40, 40)))).planes) == 3


def test_options_of_an_entry_reach_the_request(folder):
    (case,) = load_cases(ct_suite(folder), no_fetched)
    request = trials_of(ct_suite(folder), case)[1].request
    assert request.options == {"iterations": 1, "slices": 2}
    assert replace(request, options={}).digest() != request.digest()
