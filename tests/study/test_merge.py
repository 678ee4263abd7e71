import json
import shutil
from dataclasses import replace

import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.freeze import freeze
from napari_vol2vol.study.merge import lock, merge, require_lock, verify
from napari_vol2vol.study.reading_set import read_reading_set, volume_file
from napari_vol2vol.study.readings import as_csv, unblinded
from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.study.store import StoreError
from study.small_studies import frozen, paper_study, read_all


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return frozen(tmp_path_factory.mktemp("study"), pairs=4, singles=2, training=0)


@pytest.fixture
def study(made, tmp_path):
    shutil.copytree(made.path, tmp_path / "study")
    return StudyFolder(tmp_path / "study")


def copy_of(study, name):
    """What a reader gets: the folder ``reading`` only."""
    shutil.copytree(study.reading, study.path.parent / name / "reading")
    return StudyFolder(study.path.parent / name)


def read(reading, reader, trials):
    with ReadingSession(reading, reader) as session:
        for _ in range(trials):
            session.shown()
            session.answer("left" if session.question.kind == "2afc" else "yes", 3)


def right(session, truth):
    return truth, 5


def test_readings_of_two_machines_come_together(study):
    one, two = copy_of(study, "one"), copy_of(study, "two")
    read(one.reading, "R1", 6)
    read(two.reading, "R2", 6)
    found = merge(study, [one.path, two.reading / "answers" / "R2.sqlite"])
    assert [(m.reader, m.answers, m.new) for m in found] == [("R1", 6, 6), ("R2", 6, 6)]
    assert [v.answers for v in verify(study.reading)] == [6, 6]


def test_duplicates_are_refused(study):
    one = copy_of(study, "one")
    read(one.reading, "R1", 2)
    merge(study, [one.path])
    with pytest.raises(StoreError, match="a duplicate"):
        merge(study, [one.path])
    with pytest.raises(StoreError, match="more than one file"):
        merge(study, [one.path, one.path])


def test_a_continuation_is_taken_and_another_way_refused(study):
    one = copy_of(study, "one")
    read(one.reading, "R1", 2)
    merge(study, [one.path])
    read(one.reading, "R1", 3)
    assert merge(study, [one.path])[0].new == 3
    other = copy_of(study, "other")
    read(study.reading, "R1", 1)
    read(other.reading, "R1", 1)
    with pytest.raises(StoreError, match="go another way"):
        merge(study, [other.path])


def test_readings_of_another_study_are_refused(study, tmp_path):
    other = frozen(tmp_path / "other", pairs=4, singles=2, training=0, seed=9)
    read(other.reading, "R1", 1)
    with pytest.raises(StoreError, match="design: found another study's"):
        merge(study, [other.reading])
    assert not (study.reading / "answers").exists()


def test_the_design_is_frozen_at_the_first_answer(study):
    changed = paper_study(study.path, pairs=4, singles=2, training=0, margin=0.2)
    freeze(study)
    with ReadingSession(study.reading, "R1") as session:
        session.shown()
    study.save(study.study())
    read(study.reading, "R1", 1)
    with pytest.raises(SettingsError, match="found 1 answers"):
        study.save(changed)
    with pytest.raises(SettingsError, match="the design is frozen"):
        freeze(study)


def test_unblinding_needs_the_lock(study):
    read_all(study, "R1", right)
    read_all(study, "R2", right)
    with pytest.raises(SettingsError, match="is not locked"):
        unblinded(study)
    lock(study)
    rows = unblinded(study)
    assert len(rows) == 12
    assert all(row.correct for row in rows)
    assert all((row.score > 0) == row.positive for row in rows)
    assert as_csv(rows).count("\n") == 13


def test_an_unfinished_study_is_locked_only_on_request(study):
    read(study.reading, "R1", 2)
    with pytest.raises(SettingsError, match="R1, R2 have not finished"):
        lock(study)
    body = lock(study, incomplete=True)
    assert body["incomplete"] == ["R1", "R2"]
    assert body["readers"]["R1"]["answers"] == 2


def test_after_the_lock_nothing_is_read_merged_or_locked(study):
    read(study.reading, "R1", 1)
    lock(study, incomplete=True)
    with pytest.raises(SettingsError, match="locked for analysis"):
        ReadingSession(study.reading, "R1")
    with pytest.raises(SettingsError, match="merges before the lock"):
        merge(study, [study.path])
    with pytest.raises(SettingsError, match="not locked yet"):
        lock(study, incomplete=True)


def test_changes_after_the_lock_are_found(study):
    from napari_vol2vol.study.store import Store, answer_file

    read(study.reading, "R1", 1)
    lock(study, incomplete=True)
    design = study.design.read_text()
    study.design.write_text(json.dumps(json.loads(design) | {"margin": 0.3}))
    with pytest.raises(SettingsError, match="changed after freezing"):
        require_lock(study)
    study.design.write_text(design)
    require_lock(study)
    with Store.open(answer_file(study.reading, "R1"), "R1", study.study().sha256) as store:
        store.append("note:late", {})
    with pytest.raises(StoreError, match="R1: found changes after the lock"):
        unblinded(study)


def test_trials_that_were_changed_after_freezing_are_found(study):
    read(study.reading, "R1", 1)
    lock(study, incomplete=True)
    path = study.reading / "reading.json"
    path.write_text(path.read_text().replace('"role": "test"', '"role": "repeat"', 1))
    with pytest.raises(SettingsError, match="found trials that were changed after freezing"):
        unblinded(study)


def test_a_washout_that_was_cut_short_is_locked_in(study, monkeypatch):
    from napari_vol2vol.study import merge as module

    planned = replace(
        read_reading_set(study.reading), washout_days=7.0, washout_blocks=(("pairs", "singles"),)
    )
    read_all(study, "R1", right)
    monkeypatch.setattr(module, "read_reading_set", lambda reading: planned)
    (breach,) = lock(study, incomplete=True)["washout"]["R1"]
    assert "ended 0.0 days before; the study plans 7 days" in breach


def test_the_reading_side_opens_neither_key_nor_design(study, monkeypatch):
    from pathlib import Path

    hidden = {study.key, study.design, study.audit}
    keep = Path.read_text

    def guarded(path, *args, **kwargs):
        assert path not in hidden
        return keep(path, *args, **kwargs)

    for path in hidden:
        path.chmod(0)
    monkeypatch.setattr(Path, "read_text", guarded)
    with ReadingSession(study.reading, "R1") as session:
        session.shown()
        for path in session.files():
            session.load(path)
        session.answer("left" if session.question.kind == "2afc" else "yes", 3)


def test_nothing_that_readers_get_names_an_arm_or_a_case(study):
    for path in study.reading.rglob("*"):
        assert not any(word in path.name for word in ("real", "generated", "c0"))
    codes = read_reading_set(study.reading).volumes
    assert list(codes) == sorted(codes)
    assert {volume_file(study.reading, code).stat().st_mtime for code in codes} == {0.0}
    text = (study.reading / "reading.json").read_text()
    plain = text.replace("generated?", "")  # the question itself
    for word in ("real", "generated", '"c0', 'positive": [\n    "', str(study.path)):
        assert word not in plain
