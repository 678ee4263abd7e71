"""What is looked at on a real CT after contrast removal."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_vol2vol.cli import app
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.contrast_check import check_contrast
from napari_vol2vol.evaluation.ct_tissues import labelled, tissues
from napari_vol2vol.io import write_volume
from napari_vol2vol.volume import Volume

SPACING = (3.0, 2.0, 2.0)


def ct(vessel=350.0):
    """A body of muscle with fat, a lung, a bone and one large vessel, in air."""
    rng = np.random.default_rng(3)
    _, y, x = np.mgrid[:24, :80, :80]
    data = np.full((24, 80, 80), -1000.0)
    data[(y - 40) ** 2 + (x - 40) ** 2 < 36**2] = 50
    data[(y - 40) ** 2 + (x - 58) ** 2 < 8**2] = -100
    data[(y - 40) ** 2 + (x - 20) ** 2 < 9**2] = -850
    data[(y - 62) ** 2 + (x - 40) ** 2 < 6**2] = 700
    data[(y - 24) ** 2 + (x - 40) ** 2 < 8**2] = vessel
    data += rng.normal(0, 8, data.shape)
    return Volume.from_array(data.astype(np.float32), SPACING, units="HU", modality="CT", name="body")


def removed():
    source, native = ct(), ct(40.0)
    return source, source.with_data(native.data)


def test_tissues_of_a_plain_body_are_found_at_their_places():
    found = tissues(ct())
    assert set(found) == {"blood", "bone", "lung", "fat"}
    expected = {"blood": 350, "bone": 700, "lung": -850, "fat": -100}
    for name, mask in found.items():
        values = ct().data[mask]
        assert abs(np.median(values) - expected[name]) < 5
        assert np.percentile(np.abs(values - expected[name]), 98) < 40  # no rim of another tissue


def test_a_native_scan_has_no_enhanced_blood():
    assert "blood" not in tissues(ct(40.0))


def test_the_change_is_that_of_the_vessel_alone():
    source, result = removed()
    found = {t.region: t for t in check_contrast(source, result, tissues(source)).tissues}
    assert found["blood"].change == pytest.approx(-310, abs=2)
    assert all(abs(found[name].change) < 1 for name in ("bone", "lung", "fat"))
    assert [found[name].changed for name in ("blood", "bone")] == [1, 0]


def test_a_part_of_a_region_that_changed_shows_although_the_median_does_not():
    source, result = removed()
    bone = tissues(source)["bone"]
    some = bone & (np.cumsum(bone).reshape(bone.shape) <= 0.2 * bone.sum())
    spoilt = result.with_data(np.where(some, result.data - 51, result.data))
    (found,) = check_contrast(source, spoilt, {"bone": bone}).tissues
    assert abs(found.change) < 1
    assert found.changed == pytest.approx(0.2, abs=0.01)


def test_stripes_through_the_slices_change_what_neighbours_differ_by():
    source, result = removed()
    even = {s.plane: s for s in check_contrast(source, result, tissues(source)).slices}
    striped = result.with_data(result.data + np.where(np.arange(24) % 2, 12, -12)[:, None, None].astype("f4"))
    checked = check_contrast(source, striped, tissues(source))
    uneven = {s.plane: s for s in checked.slices}
    assert even["axial"].ratio == pytest.approx(1, abs=0.05)
    assert even["axial"].within > 0.9
    assert uneven["axial"].ratio > 1.5
    assert any(f.axis == 0 for f in checked.findings)


def test_slices_of_a_vessel_that_were_left_out_are_counted():
    source, result = removed()
    (clean,) = check_contrast(source, result, tissues(source)).left_out
    assert (clean.region, clean.voxels, clean.slices) == ("blood", 0, 0)
    data = result.data.copy()
    data[[5, 11, 17]] = source.data[[5, 11, 17]]
    (striped,) = check_contrast(source, source.with_data(data), tissues(source)).left_out
    assert striped.slices == pytest.approx(3 / striped.of)
    assert striped.voxels == pytest.approx(3 / striped.of, rel=0.05)


def test_regions_of_a_label_volume_must_have_voxels():
    source = ct()
    labels = source.with_data((source.data > 300).astype(np.float32), name="labels")
    assert labelled(labels, {"bright": (1,)})["bright"].sum() == (source.data > 300).sum()
    with pytest.raises(SettingsError, match=r"region liver: found no voxel in labels, accepted .* 0, 1"):
        labelled(labels, {"bright": (1,), "liver": (5,)})


def test_the_command_checks_a_finished_result_and_draws_it(tmp_path):
    source, result = removed()
    paths = [tmp_path / f"{name}.nii.gz" for name in ("before", "after")]
    for volume, path in zip((source, result), paths, strict=True):
        write_volume(volume, path)
    picture = tmp_path / "change.png"
    call = ["contrast", "check", str(paths[0]), "--result", str(paths[1]), "--figure", str(picture), "--json"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert {t["region"] for t in values["tissues"]} == {"blood", "bone", "lung", "fat"}
    assert [s["plane"] for s in values["slices"]] == ["axial", "coronal", "sagittal"]
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("text", ["", "=3", "aorta=x"])
def test_a_region_that_names_no_values_is_refused(tmp_path, text):
    source, _ = removed()
    path = tmp_path / "ct.nii.gz"
    write_volume(source, path)
    call = ["contrast", "check", str(path), "--labels", str(path), *(["--region", text] if text else [])]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 1
    assert "region: found" in done.stderr
