"""The two experiments of the paper, read by a perfect, a biased and a random reader: figures by hand."""

import random
from math import comb, sqrt
from statistics import NormalDist

import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.analysis.results import analyse
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.freeze import freeze
from napari_vol2vol.study.json_fields import read_json
from napari_vol2vol.study.merge import lock
from napari_vol2vol.study.preset import mfm_paper, pairs_of_folders
from napari_vol2vol.study.report.write import write_report
from study.small_studies import read_all, write_case

OTHER = {"left": "right", "right": "left", "yes": "no", "no": "yes"}
Z = NormalDist()


def two_sided(k, n=20):
    """Exact p of k of n at 1/2, by counting."""
    far = min(k, n - k)
    return min(1.0, 2 * sum(comb(n, i) for i in range(far + 1)) / 2**n)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The preset over 42 small cases, read by three readers and locked; and what the random one answered."""
    folder = StudyFolder(tmp_path_factory.mktemp("paper"))
    entered = [write_case(folder.path, f"c{n:02d}", n) for n in range(42)]
    cases = [{arm: folder.path / file.path for arm, file in case.volumes.items()} for case in entered]
    readers = ("perfect", "biased", "random")
    folder.save(mfm_paper("paper", cases, readers=readers, seed=5, window=None, margin=0.15))
    freeze(folder)
    rng = random.Random(7)
    right = {"which": 0, "is-it": 0}

    def at_random(session, truth):
        answer = rng.choice([truth, OTHER[truth]])
        if session.trial.role == "test":
            right[session.question.name] += answer == truth
        return answer, rng.randint(1, 5)

    read_all(folder, "perfect", lambda session, truth: (truth, 5))
    read_all(folder, "biased", lambda session, truth: ("left" if truth in ("left", "right") else "yes", 3))
    read_all(folder, "random", at_random)
    lock(folder)
    return folder, right


@pytest.fixture(scope="module")
def contests(made):
    return {contest["question"]: contest for contest in analyse(made[0])["contests"]}


def test_the_preset_is_the_papers_protocol(made):
    study = made[0].study()
    pairs, singles = study.blocks
    assert (len(pairs.items), len(singles.items)) == (20, 20)
    assert {item.arms for item in pairs.items} == {("real", "generated")}
    assert sorted(item.arms for item in singles.items) == [("generated",)] * 10 + [("real",)] * 10
    assert not {item.case for item in pairs.items} & {item.case for item in singles.items}


@pytest.mark.parametrize("question", ["which", "is-it"])
def test_the_perfect_reader_is_right_in_20_of_20(contests, question):
    found = contests[question]["readers"]["perfect"]
    assert (found["correct"]["k"], found["correct"]["n"]) == (20, 20)
    assert found["correct"]["p"] == pytest.approx(2 / 2**20)
    assert found["correct"]["low"] == pytest.approx(0.025 ** (1 / 20))
    assert found["correct"]["high"] == 1
    assert found["auc"]["value"] == 1
    corrected = 2 * Z.inv_cdf(10.5 / 11)
    assert found["detection"]["d_prime"] == pytest.approx(corrected / (sqrt(2) if question == "which" else 1))
    assert found["preference"]["k"] == 10


@pytest.mark.parametrize("question", ["which", "is-it"])
def test_the_biased_reader_is_right_in_half_and_his_bias_is_found(contests, question):
    found = contests[question]["readers"]["biased"]
    assert (found["correct"]["k"], found["correct"]["p"]) == (10, 1.0)
    assert found["detection"]["d_prime"] == pytest.approx(0)
    assert found["detection"]["criterion"] == pytest.approx(-Z.inv_cdf(10.5 / 11))
    assert found["auc"]["value"] == 0.5
    assert found["preference"]["answer"] == ("left" if question == "which" else "yes")
    assert (found["preference"]["k"], found["preference"]["p"]) == (20, pytest.approx(2 / 2**20))


@pytest.mark.parametrize("question", ["which", "is-it"])
def test_the_random_reader_has_the_answers_that_were_thrown(contests, made, question):
    found = contests[question]["readers"]["random"]
    k = made[1][question]
    assert found["correct"]["k"] == k
    assert found["correct"]["p"] == pytest.approx(two_sided(k))


@pytest.mark.parametrize("question", ["which", "is-it"])
def test_readers_together_are_the_mean_of_the_three(contests, made, question):
    pooled = contests[question]["pooled"]
    expected = (20 + 10 + made[1][question]) / 60
    assert pooled["correct"]["value"] == pytest.approx(expected)
    assert pooled["correct"]["cases"]["df"] == 19
    assert pooled["correct"]["readers and cases"]["value"] == pytest.approx(expected)
    assert pooled["inference"] == "readers and cases"


def test_area_of_all_is_the_mean_of_the_areas(contests):
    found = contests["is-it"]
    areas = [reader["auc"]["value"] for reader in found["readers"].values()]
    assert found["pooled"]["auc"]["value"] == pytest.approx(sum(areas) / 3)
    assert contests["which"]["pooled"]["auc"] is None


def test_the_word_indistinguishable_never_comes_without_an_equivalence_study(contests):
    assert not any("indistinguishable" in contest["verdict"] for contest in contests.values())


def test_the_report_holds_tables_figures_checklists_and_exports(made, tmp_path):
    folder, right = made
    write_report(folder, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        "report.html", "results.json", "readings.csv", "is-it.imrmc", "is-it.csv",
    }  # fmt: skip
    html = (tmp_path / "report.html").read_text()
    for words in (
        "20/20",
        f"{right['which']}/20",
        "10/20",
        "data:image/png;base64",
        "Missing:",
        folder.study().sha256,
    ):
        assert words in html
    assert "<script" not in html
    results = read_json(tmp_path / "results.json", "results")
    assert results["seed"] == 5
    missing = [i["number"] for i in results["checklist"] if i["checklist"] == "STARD" and i["text"] is None]
    assert "30" in missing
    assert "14" not in missing
    assert (tmp_path / "readings.csv").read_text().count("\n") == 1 + 3 * 40


def test_exported_ratings_give_the_same_area(made, tmp_path):
    import csv

    from napari_vol2vol.study.statistics.roc import auc

    write_report(made[0], tmp_path)
    lines = (tmp_path / "is-it.imrmc").read_text().splitlines()
    assert lines[1:6] == ["N0: 10", "N1: 10", "NR: 3", "NM: 1", "BEGIN DATA:"]
    assert sum(line.startswith("-1,") for line in lines) == 20
    with (tmp_path / "is-it.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["reader"] == "random"]
    area = auc([float(row["rating"]) for row in rows], [row["truth"] == "1" for row in rows])
    found = read_json(tmp_path / "results.json", "results")["contests"][1]["readers"]["random"]["auc"][
        "value"
    ]
    assert area == pytest.approx(found)


def test_a_missing_library_is_named_with_the_extra_that_brings_it(made, monkeypatch):
    from napari_vol2vol.study.analysis import results

    monkeypatch.setattr(results, "find_spec", lambda name: None if name == "choix" else name)
    with pytest.raises(SettingsError, match=r"choix not installed; .* the extra \[study\]"):
        analyse(made[0])


def test_too_few_cases_and_unequal_folders_are_told(tmp_path):
    with pytest.raises(SettingsError, match="cases: found 3, accepted are 40 or more"):
        mfm_paper("x", [{"real": tmp_path, "new": tmp_path}] * 3)
    with pytest.raises(SettingsError, match="accepted are 'real' and the same systems"):
        mfm_paper("x", [{"real": tmp_path}] * 40)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "one.nii").touch()
    with pytest.raises(SettingsError, match="share no file name"):
        pairs_of_folders(tmp_path / "a", tmp_path / "b")
