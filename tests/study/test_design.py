import json
from dataclasses import replace

import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.check import problems, refuse_problems
from napari_vol2vol.study.design import Allocation, Block, Item, WindowPolicy, read_study
from napari_vol2vol.study.folder import StudyFolder
from study.small_studies import IS_IT, WHICH, paper_study


@pytest.fixture
def study(tmp_path):
    return paper_study(tmp_path)


def test_a_study_survives_its_file(study, tmp_path):
    StudyFolder(tmp_path).save(study)
    found = read_study(tmp_path / "study.json")
    assert found == study
    assert found.sha256 == study.sha256


def test_the_hash_of_a_design_ignores_layout_and_tells_content(study, tmp_path):
    StudyFolder(tmp_path).save(study)
    path = tmp_path / "study.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(value.items()))))
    assert read_study(path).sha256 == study.sha256
    assert replace(study, seed=4).sha256 != study.sha256


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sede": 1}, "found the field 'sede'"),
        ({"seed": "1"}, "study.json.seed: found '1', accepted is a whole number"),
        ({"version": 9}, "version: found 9, this installation reads 1"),
        ({"format": "x"}, "format: found 'x'"),
        ({"blocks": [{"name": "b"}]}, r"blocks\[0\]: found no field 'items'"),
        ({"readers": {}}, "readers: found {}, accepted is a list"),
        ({"margin": True}, "margin: found True, accepted is a number"),
    ],
)
def test_a_mistake_in_the_file_names_field_found_and_accepted(study, tmp_path, change, words):
    StudyFolder(tmp_path).save(study)
    path = tmp_path / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SettingsError, match=words):
        read_study(path)


def test_a_sound_study_has_no_problems(study, tmp_path):
    assert problems(study, tmp_path) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"readers": ()}, "readers: found none"),
        ({"margin": 0.7}, "margin: found 0.7"),
        ({"analysis": "equivalence"}, "margin: found none, equivalence needs one"),
        ({"analysis": "proof"}, "analysis: found 'proof'"),
        ({"alpha": 0.9}, "alpha: found 0.9"),
        ({"seed": -1}, "seed: found -1"),
        ({"window": WindowPolicy("abdomin")}, "preset: found 'abdomin'"),
        ({"window": WindowPolicy(percentiles=(99.0, 1.0))}, "percentiles: found"),
        ({"allocation": Allocation(3, 4)}, "anchors: found 4"),
        ({"questions": (replace(WHICH, confidence=(1, 9)), IS_IT)}, r"confidence: found \[1, 9\]"),
        ({"questions": (replace(WHICH, kind="guess"), IS_IT)}, "kind: found 'guess'"),
        ({"questions": (replace(WHICH, positive=("fake",)), IS_IT)}, "positive: found fake"),
        ({"questions": (replace(WHICH, positive=()), IS_IT)}, "needs `positive`"),
        ({"questions": (WHICH, replace(IS_IT, positive=(), finding="cyst"))}, "whether 'cyst' is present"),
        ({"blocks": (Block("b", (Item("nobody", ("real",)),), ("is-it",)),)}, "'nobody': found no such case"),
        (
            {"blocks": (Block("b", (Item("c00", ("real",)),), ("which",)),)},
            "2afc shows 2 to 2 volumes, found 1",
        ),
        ({"blocks": (Block("b", (Item("c00", ("real",)),) * 2, ("is-it",)),)}, "more than once"),
        ({"blocks": (Block("b", (Item("c00", ("real",)),), ("is-it",), repeats=1),)}, "repeats: found 1"),
        (
            {
                "blocks": (
                    Block("b", (Item("c00", ("real",)),), ("is-it",), training=(Item("c00", ("real",)),)),
                )
            },
            "training: found cases that are also read for the study: c00",
        ),
    ],
)
def test_every_problem_of_a_design_is_named(study, change, words):
    with pytest.raises(SettingsError, match=words):
        refuse_problems(replace(study, **change))


def test_missing_and_changed_files_are_found(study, tmp_path):
    from napari_vol2vol.study.freeze import with_hashes

    hashed = with_hashes(study, tmp_path)
    first, second = (tmp_path / c.volumes["real"].path for c in hashed.cases[:2])
    first.unlink()
    second.write_bytes(second.read_bytes() + b"x")
    found = problems(hashed, tmp_path)
    assert len(found) == 2
    assert "does not exist" in found[0]
    assert "is not the file that was entered" in found[1]
