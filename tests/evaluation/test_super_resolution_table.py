from dataclasses import replace

import numpy as np
import pytest

from napari_vol2vol.evaluation.bench import bench
from napari_vol2vol.evaluation.super_resolution_table import Row, as_markdown, central_block, measure, table
from napari_vol2vol.metrics.fidelity import fidelity
from napari_vol2vol.tasks import get_task
from napari_vol2vol.volume import Volume


@pytest.fixture(scope="module")
def scaled(head):
    return central_block(head, None)


def row(volume, system, **changes):
    values = Row(volume, system, 5, 30.0, 0.2, 0.9, 31.0, 0.92, 120.0, 1e-7, 2.0, 1.5)
    return replace(values, **changes)


def test_the_central_block_stays_where_it_was_in_the_patient(head):
    affine = np.array([[0, -1.0, 0, 20], [1.0, 0, 0, -30], [0, 0, 1.2, 7], [0, 0, 0, 1]])
    whole = Volume.from_array(head.data, affine=affine, name="head")
    block = central_block(whole, 16, scaled=False)
    assert block.shape == (16, 16, 16)
    assert np.array_equal(block.data, head.data[8:24, 10:26, 12:28])
    assert np.allclose(block.affine @ [0, 0, 0, 1], affine @ [12, 10, 8, 1])


def test_values_are_scaled_by_the_percentile_of_the_whole_volume(head):
    whole, block = central_block(head, None), central_block(head, 16)
    assert (float(whole.data.min()) >= 0, float(whole.data.max())) == (True, 1.0)
    assert np.array_equal(block.data, whole.data[8:24, 10:26, 12:28])


def test_a_block_larger_than_the_volume_is_the_volume(head):
    assert central_block(head, 100, scaled=False).same_grid(head)


def test_a_row_says_what_fidelity_says(scaled):
    found = measure(scaled, "trilinear", samples=3)
    task = get_task("super-resolution")
    low = task.degrade(scaled)
    measurement = task.prepare(low, (4, 4, 4), 1)
    data = measurement.physical(measurement.plain).numpy()
    expected = fidelity(task.finish(data, low, (4, 4, 4), "t", "T1w"), scaled, data_range=1.0)
    assert found.samples == 1
    assert found.psnr_single == pytest.approx(expected.psnr, abs=1e-3)
    assert found.ssim_single == pytest.approx(expected.ssim, abs=1e-4)
    assert (found.psnr_std, found.mace) == (0, None)


def test_several_samples_bring_a_spread_a_mean_and_a_calibration_error(scaled, tiny_bundles):
    found = measure(scaled, "tpdm", samples=2, steps=2, precision="float32")
    assert found.samples == 2
    assert found.psnr_std > 0
    assert found.mace > 0
    assert found.psnr_mean > found.psnr_single
    assert found.data_residual < 1e-5


def test_the_table_has_a_row_for_each_volume_and_system(scaled):
    rows = list(table([scaled, scaled.with_data(scaled.data, name="two")], ["trilinear", "smooth-inverse"]))
    assert [(r.volume, r.system) for r in rows] == [
        ("head", "trilinear"), ("head", "smooth-inverse"), ("two", "trilinear"), ("two", "smooth-inverse"),
    ]  # fmt: skip
    assert rows[1].psnr_single > rows[0].psnr_single


def test_markdown_ends_with_the_mean_over_the_volumes_of_each_system():
    rows = [row("a", "tpdm"), row("a", "palette"), row("b", "tpdm", psnr_single=34.0), row("b", "palette")]
    lines = as_markdown(rows).splitlines()
    assert len(lines) == 2 + 4 + 2
    assert len({line.count("|") for line in lines}) == 1
    assert lines[-2].startswith("| **mean** | tpdm | 32.00 ± 0.20 |")
    assert lines[-1].startswith("| **mean** | palette | 30.00 ± 0.20 |")


def test_one_volume_and_systems_that_missed_a_volume_get_no_mean():
    assert "mean**" not in as_markdown([row("a", "tpdm")])
    lines = as_markdown([row("a", "tpdm"), row("b", "tpdm"), row("a", "palette")]).splitlines()
    assert [line for line in lines if "**mean**" in line] == [lines[-1]]


def test_a_single_sample_has_neither_spread_nor_mean_nor_calibration():
    line = as_markdown([row("a", "unet-3d", samples=1, psnr_std=0.0, mace=None)]).splitlines()[-1]
    assert line == "| a | unet-3d | 30.00 | 0.900 | – | – | – | 1e-07 | 2.0 | 1.5 |"


def test_the_bench_times_both_parts_of_a_step():
    *timings, whole = list(bench("compact", 16, "cpu", repeats=1))
    assert whole.seconds == pytest.approx(sum(t.seconds for t in timings))
    assert whole.plain_seconds == pytest.approx(sum(t.plain_seconds for t in timings))
    assert [t.what for t in timings] == ["two planes", "fusion"]
    assert all(t.seconds > 0 and t.speedup > 0 and t.peak_gib > 0 for t in timings)
