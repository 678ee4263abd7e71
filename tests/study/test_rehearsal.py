import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.analysis.results import analyse
from napari_vol2vol.study.design import Block, Item
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.freeze import freeze
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.rehearsal import rehearse
from napari_vol2vol.study.report.write import write_report
from study.small_studies import PAIR, frozen, paper_study, read_all


def test_a_rehearsal_reads_and_locks_a_copy_and_leaves_the_study_alone(tmp_path):
    study = frozen(tmp_path / "study", pairs=4, singles=4, readers=("R1", "R2", "R3"))
    copy = rehearse(study, tmp_path / "copy")
    assert study.answers() == 0
    assert not study.lock.exists()
    right = {r: found["correct"]["k"] for r, found in analyse(copy)["contests"][0]["readers"].items()}
    assert (right["R1"], right["R3"]) == (4, 2)


def test_a_rehearsal_repeats_and_ignores_readings_that_are_there(tmp_path):
    study = frozen(tmp_path / "study", pairs=3, singles=2)
    read_all(study, "R1", lambda session, truth: (truth, 1))
    one, two = (rehearse(study, tmp_path / name, ["random"]) for name in ("one", "two"))
    values = [
        [c["readers"][r]["correct"]["k"] for c in analyse(s)["contests"] for r in ("R1", "R2")]
        for s in (one, two)
    ]
    assert values[0] == values[1]


def test_robots_answer_every_kind_of_question_and_the_report_shows_them(tmp_path):
    kinds = (
        Question("rate", "rating", "Sure?", positive=("generated",), scale=(1, 6)),
        Question("grade", "grading", "Grade", criteria=("noise", "edges")),
        Question("why", "text", "Why?"),
    )
    rank = Question("rank", "ranking", "Best first")
    study = paper_study(tmp_path / "study", pairs=4, singles=0, training=0, readers=("R1", "R2", "R3"))
    items = tuple(Item(case.name, (arm,)) for case in study.cases for arm in PAIR)
    from dataclasses import replace

    pairs = replace(study.blocks[0], questions=("which", "rank"))
    singles = Block("singles", items, tuple(q.name for q in kinds))
    folder = StudyFolder(tmp_path / "study")
    folder.save(replace(study, questions=(*study.questions, *kinds, rank), blocks=(pairs, singles)))
    freeze(folder)
    found = write_report(rehearse(folder, tmp_path / "copy"))
    assert found["contests"][1]["readers"]["R1"]["auc"]["value"] == 1
    assert found["contests"][1]["pooled"]["agreement"]["icc"] is not None
    assert {g["criterion"] for g in found["grading"]} == {"noise", "edges"}
    assert found["rankings"][0]["rankings"] == 12
    assert len(found["texts"]) == 24
    html = (tmp_path / "copy" / "results" / "report.html").read_text()
    assert "Visual grading" in html
    assert "Ranking: rank" in html


def test_what_cannot_be_rehearsed_is_told(tmp_path):
    study = frozen(tmp_path / "study", pairs=2, singles=0, training=0)
    with pytest.raises(SettingsError, match="found \\['clever'\\], accepted are perfect, random, biased"):
        rehearse(study, tmp_path / "copy", ["clever"])
    with pytest.raises(SettingsError, match="accepted is a new folder"):
        rehearse(study, tmp_path)
    with pytest.raises(SettingsError, match="accepted is a frozen study"):
        rehearse(StudyFolder(tmp_path / "none"), tmp_path / "copy")
