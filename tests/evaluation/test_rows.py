import json
from dataclasses import replace

import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.rows import Ledger, Row, figures_of
from napari_vol2vol.metrics import coverage, fidelity, mutual_information
from napari_vol2vol.volume import Volume


@pytest.fixture(scope="module")
def drawn():
    """Reference, five samples around it, their mean and standard deviation."""
    rng = np.random.default_rng(0)
    reference = Volume.from_array(rng.random((12, 13, 14)).astype(np.float32))
    samples = [reference.with_data(reference.data + rng.normal(0, 0.1, reference.shape)) for _ in range(5)]
    stack = np.stack([s.data for s in samples])
    return reference, samples, reference.with_data(stack.mean(0)), reference.with_data(stack.std(0, ddof=1))


@pytest.fixture
def row(drawn):
    reference, samples, mean, std = drawn
    return Row(
        "d1", "one", "tpdm", 0, 5, 8, "planes", "cpu", "float32", data_residual=None, seconds=1.0,
        seconds_per_step=0.125, peak_gib=1.0, peak_is_own=True, notices=("a note",),
        **figures_of(reference, samples, mean, std),
    )  # fmt: skip


def test_single_figures_are_means_over_the_samples(drawn):
    reference, samples, mean, std = drawn
    found = figures_of(reference, samples, mean, std)
    own = [fidelity(s, reference, data_range=1.0) for s in samples]
    assert found["psnr_single"] == pytest.approx(np.mean([f.psnr for f in own]))
    assert found["psnr_std"] == pytest.approx(np.std([f.psnr for f in own], ddof=1))
    assert found["mae_single"] == pytest.approx(np.mean([f.mae for f in own]))
    assert found["ssim_mean"] == pytest.approx(fidelity(mean, reference, data_range=1.0).ssim)
    assert found["psnr_mean"] > found["psnr_single"]
    assert found["mutual_information"] == pytest.approx(mutual_information(mean.data, reference.data))
    assert found["ms_ssim"] is None


def test_coverage_is_that_of_students_t_for_the_number_of_samples(drawn):
    reference, samples, mean, std = drawn
    found = figures_of(reference, samples, mean, std)
    expected = coverage(mean.data, std.data, reference.data, samples=5)
    assert found["coverage_95"] == expected[0.95]
    assert found["coverage_50"] == expected[0.5]


def test_one_answer_is_its_own_mean_and_has_no_calibration(drawn):
    reference, samples, _, _ = drawn
    found = figures_of(reference, samples[:1], samples[0], None)
    assert found["psnr_mean"] == found["psnr_single"]
    empty = ("psnr_std", "ssim_std", "mae_std", "mace", "coverage_68", "ause", "spearman")
    assert [found[name] for name in empty] == [None] * len(empty)


def test_samples_that_are_all_alike_have_no_order(drawn):
    reference, samples, _, std = drawn
    alike = std.with_data(np.zeros_like(std.data))
    found = figures_of(reference, samples[:1] * 2, samples[0], alike)
    assert (found["ause"], found["spearman"]) == (None, None)
    assert found["coverage_95"] == 0


def test_a_row_survives_the_file(row, tmp_path):
    perfect = replace(row, digest="d2", psnr_single=float("inf"))
    ledger = Ledger(tmp_path / "deep" / "rows.jsonl")
    ledger.append(row)
    ledger.append(perfect)
    again = Ledger(tmp_path / "deep" / "rows.jsonl")
    assert again.get("d1") == row
    assert again.get("d2") == perfect
    assert again.get("d3") is None


@pytest.mark.parametrize("cut", [1, 2, 200])
def test_a_last_line_cut_short_is_dropped_and_the_file_goes_on(row, tmp_path, cut):
    path = tmp_path / "rows.jsonl"
    ledger = Ledger(path)
    ledger.append(row)
    ledger.append(replace(row, digest="d2"))
    path.write_text(path.read_text()[:-cut])
    whole = cut == 1  # only the line's end is missing
    again = Ledger(path)
    assert again.get("d1") == row
    assert (again.get("d2") is not None) == whole
    again.append(replace(row, digest="d4"))
    digests = [json.loads(line)["digest"] for line in path.read_text().splitlines()]
    assert digests == (["d1", "d2", "d4"] if whole else ["d1", "d4"])


def test_a_file_of_something_else_is_refused(row, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("no row\n" + json.dumps(row.as_dict()) + "\n")
    with pytest.raises(SettingsError, match="line 1 is not JSON"):
        Ledger(path)
    path.write_text('{"digest": "d1"}\n')
    with pytest.raises(SettingsError, match="line 1 is no row of this version"):
        Ledger(path)
