import json
from dataclasses import replace

import numpy as np
import pytest

from evaluation.small_suites import make_translation_bundle, no_fetched, run, small_suite, translation_suite
from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.evaluation import downstream as module
from napari_vol2vol.evaluation.cases import load_cases
from napari_vol2vol.evaluation.compare import folder_of
from napari_vol2vol.evaluation.downstream import Judge, downstream
from napari_vol2vol.evaluation.downstream_report import report_downstream
from napari_vol2vol.evaluation.downstream_truth import check_truths, cut_to, truths_of
from napari_vol2vol.evaluation.segmentation_bundle import find_segmentation
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.suite_entries import Phantom, SystemEntry, VolumeEntry
from napari_vol2vol.io import read_volume
from napari_vol2vol.networks.segresnet import SegResNetConfig
from napari_vol2vol.phantoms.brain import REGIONS, label_map, make_anatomy, paint
from napari_vol2vol.volume import Volume
from segmentation_bundles import make_segmentation_bundle

INPUTS = ("T1ce", "FLAIR")
SHAPE = (44, 40, 48)
SEED = 920_001


def found_by_the_oracle(flair, truth):
    right = np.abs(flair - truth.volumes["FLAIR"].data) < 0.02
    return np.where(right, truth.labels, 0)


def head(name="head", lesion=True):
    return VolumeEntry(name, phantom=Phantom(SEED, SHAPE, lesion))


def low_resolution_suite(**changes):
    values = {
        "name": "low", "task": "super-resolution", "target": "FLAIR", "volumes": (head(),), "block": 30,
        "systems": (SystemEntry("trilinear"), SystemEntry("smooth-inverse")), "factor": (4, 4, 4),
        "device": "cpu", "precision": "float32",
    }  # fmt: skip
    return Suite(**(values | changes))


@pytest.fixture(scope="module")
def anatomy():
    return make_anatomy(SEED, SHAPE, lesion=True)


@pytest.fixture(scope="module")
def low(tmp_path_factory):
    """Suite, cases, rows and folder of a super-resolution of FLAIR."""
    suite, output = low_resolution_suite(), tmp_path_factory.mktemp("low")
    return suite, *run(suite, output), output


@pytest.fixture
def judge(tmp_path):
    return Judge(read_card(make_segmentation_bundle(tmp_path / "judge")))


@pytest.fixture
def oracle(monkeypatch, low):
    """A segmentation that is right where FLAIR is right to 0.02 and finds nothing elsewhere."""
    suite, cases, *_ = low
    (truth,) = truths_of(suite, cases, INPUTS)
    calls = []

    def segment(network, inputs, volumes):
        calls.append(volumes)
        if "FLAIR" not in volumes:
            return np.zeros_like(truth.labels)
        return found_by_the_oracle(volumes["FLAIR"].data, truth)

    monkeypatch.setattr(module, "segment", segment)
    return calls


def test_labels_and_modalities_lie_on_the_grid_of_the_block(anatomy, low):
    suite, (case,), *_ = low
    (truth,) = truths_of(suite, [case], INPUTS)
    # the central 30 voxels, cut to whole blocks of 4
    where = (slice(7, 35), slice(5, 33), slice(9, 37))
    assert truth.labels.shape == case.reference.shape == (28, 28, 28)
    assert np.array_equal(truth.labels, label_map(anatomy)[where])
    assert np.array_equal(truth.volumes["T1ce"].data, paint(anatomy, "T1ce", SEED)[where])
    assert truth.volumes["FLAIR"].data is case.reference.data
    whole = paint(anatomy, "FLAIR", SEED)
    wanted = np.clip(whole / np.percentile(whole, 99.5), 0, 1)[where]
    assert np.allclose(truth.volumes["FLAIR"].data, wanted, atol=1e-6)
    assert truth.volumes["T1ce"].same_grid(case.reference)


def test_a_volume_that_the_block_was_not_cut_from_is_refused(low):
    _, (case,), *_ = low
    with pytest.raises(SettingsError, match="accepted is a volume that head was cut from"):
        cut_to(Volume.from_array(np.zeros((16, 16, 16))), case.reference)
    with pytest.raises(SettingsError, match="cut from"):
        cut_to(Volume.from_array(np.zeros(SHAPE), (1.5, 1.5, 1.5)), case.reference)


def test_the_truth_is_perfect_and_everything_else_is_scored_by_the_same_judge(low, judge, oracle):
    suite, cases, rows, output = low
    scores = list(downstream(suite, cases, rows, output, judge))
    arms = [(a.kind, a.label) for a in dict.fromkeys(s.arm for s in scores)]
    assert arms == [
        ("truth", "true FLAIR"), ("degraded", "trilinear FLAIR"), ("system", "trilinear"),
        ("system", "smooth-inverse"),
    ]  # fmt: skip
    by_arm = {label: {s.region: s.dice for s in scores if s.arm.label == label} for _, label in arms}
    assert list(by_arm["true FLAIR"]) == [*REGIONS[1:], "core and rim", "whole lesion"]
    assert {d for d in by_arm["true FLAIR"].values() if d is not None} == {1.0}
    assert by_arm["trilinear FLAIR"] == by_arm["trilinear"]
    (truth,) = truths_of(suite, cases, INPUTS)
    for row in rows:
        made = read_volume(folder_of(output, row) / "mean.nii.gz").data
        for region, labels in (("WM", [3]), ("whole lesion", [4, 5, 6])):
            a, b = (np.isin(v, labels) for v in (found_by_the_oracle(made, truth), truth.labels))
            assert by_arm[row.system][region] == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
            assert 0.1 < by_arm[row.system][region] < 0.9


def test_only_the_target_is_replaced(low, judge, oracle):
    suite, cases, rows, output = low
    list(downstream(suite, cases, rows, output, judge))
    assert len(oracle) == 4
    assert all(set(given) == set(INPUTS) for given in oracle)
    first = oracle[0]["T1ce"].data
    assert all(np.array_equal(given["T1ce"].data, first) for given in oracle)
    assert not np.array_equal(oracle[0]["FLAIR"].data, oracle[1]["FLAIR"].data)


def test_of_a_modality_that_was_never_measured_the_channel_is_empty(tmp_path, monkeypatch, judge):
    make_translation_bundle(tmp_path / "bundles")
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(tmp_path / "bundles"))
    suite = translation_suite()
    cases, rows = run(suite, tmp_path / "out")
    seen = []
    monkeypatch.setattr(
        module, "segment", lambda n, i, volumes: seen.append(volumes) or np.zeros((24, 24, 24), np.uint8)
    )
    scores = list(downstream(suite, cases, rows, tmp_path / "out", judge))
    assert [set(given) for given in seen] == [set(INPUTS), {"T1ce"}, set(INPUTS), set(INPUTS)]
    assert scores[8].arm.label == "no FLAIR"
    mean, sample = ([], [])
    for answer, found in (("mean", mean), ("sample", sample)):
        seen.clear()
        list(downstream(suite, cases, rows, tmp_path / "out", judge, answer=answer))
        found.append(seen[3]["FLAIR"].data)
    assert not np.array_equal(mean[0], sample[0])


def test_the_report_says_what_was_done_and_leaves_three_files(low, judge, oracle, tmp_path):
    suite, cases, rows, output = low
    table = report_downstream(suite, cases, rows, output, judge)
    notes = " ".join(table.notes)
    for words in (
        "bundle brain-regions segments T1ce, FLAIR with the mean of the samples of each system in place "
        "of the true FLAIR; T1ce stays the true one; blocks of 28×28×28 voxels",
        "degraded is “trilinear FLAIR”: block means of 4 × 4 × 4 voxels, interpolated",
        "N = 1 procedural heads",
        "whole lesion = lesion core, enhancing rim, oedema",
        "(prediction - degraded) / (truth - degraded)",
    ):
        assert words in notes
    written = json.loads((output / "downstream.json").read_text())
    assert (written["suite"], written["bundle"], written["answer"]) == ("low", "brain-regions", "mean")
    wm = {r["images"]: r for r in written["rows"] if r["kind"] == "mean" and r["region"] == "WM"}
    low_end, made = wm["trilinear FLAIR"]["dice"], wm["smooth-inverse"]
    assert made["recovery"] == pytest.approx((made["dice"] - low_end) / (1 - low_end), abs=1e-3)
    assert wm["trilinear"]["recovery"] == 0


def test_a_bundle_of_fewer_regions_is_scored_on_those(low, tmp_path, monkeypatch):
    suite, cases, rows, output = low
    config = SegResNetConfig(1, ("background", "oedema", "WM"), 8, (1, 1), (1,))
    own = Judge(read_card(make_segmentation_bundle(tmp_path, "own", config, inputs=("FLAIR",))))
    (truth,) = truths_of(suite, cases, ("FLAIR",))
    wm = (truth.labels == REGIONS.index("WM")).astype(np.uint8)
    monkeypatch.setattr(module, "segment", lambda *a: 2 * wm)
    scores = list(downstream(suite, cases, rows[:1], output, own))
    assert [(s.region, s.dice) for s in scores if s.arm.kind == "system"][1] == ("WM", 1.0)
    assert {s.region for s in scores} == {"oedema", "WM"}


def test_an_untrained_network_scores_between_zero_and_one_and_alike_each_time(low, judge):
    suite, cases, rows, output = low
    once, again = (list(downstream(suite, cases, rows, output, judge)) for _ in "ab")
    assert once == again
    assert all(s.dice is None or 0 <= s.dice <= 1 for s in once)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "T1w"}, "target: found T1w, the segmentation bundle accepts T1ce, FLAIR"),
        ({"volumes": (VolumeEntry("colin27"), head())}, "volumes: found colin27 without labels"),
    ],
)
def test_a_suite_without_known_truth_is_refused(change, message):
    with pytest.raises(SettingsError, match=message):
        check_truths(low_resolution_suite(**change), INPUTS)


def test_inputs_that_are_not_painted_are_refused():
    with pytest.raises(SettingsError, match="inputs: found CT, procedural heads accept T1w"):
        check_truths(low_resolution_suite(), ("FLAIR", "CT"))


def test_files_have_no_labels(head_folder):
    with pytest.raises(SettingsError, match="found one, two without labels"):
        check_truths(small_suite(head_folder), ("T1w",))


def test_an_unknown_answer_is_named(low, judge):
    suite, cases, rows, output = low
    with pytest.raises(SettingsError, match="answer: found 'best', accepted are mean, sample"):
        next(downstream(suite, cases, rows, output, judge, answer="best"))


def test_a_judge_needs_regions_that_heads_know(tmp_path):
    config = SegResNetConfig(2, ("background", "liver"), 8, (1, 1), (1,))
    with pytest.raises(
        BundleError, match="regions: found background, liver, accepted are background and then"
    ):
        Judge(read_card(make_segmentation_bundle(tmp_path, "abdomen", config)))


def test_the_segmentation_bundle_is_found_by_name_by_folder_and_by_default(tmp_path, monkeypatch):
    folder = make_segmentation_bundle(tmp_path)
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(tmp_path))
    assert find_segmentation().path == find_segmentation("brain-regions").path == folder
    assert find_segmentation(folder).name == "brain-regions"
    with pytest.raises(BundleError, match=r"found 'nothing', installed are brain-regions .*vol2vol train"):
        find_segmentation("nothing")


def test_the_block_of_a_suite_without_factor_is_cut_too(anatomy):
    suite = replace(translation_suite(), volumes=(head(),), block=24)
    cases = list(load_cases(suite, no_fetched))
    (truth,) = truths_of(suite, cases, INPUTS)
    assert np.array_equal(truth.labels, label_map(anatomy)[10:34, 8:32, 12:36])
