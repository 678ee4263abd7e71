from dataclasses import replace

import numpy as np
import pytest

from napari_vol2vol.study.analysis.by_reader import reader_results
from napari_vol2vol.study.analysis.contests import contests
from napari_vol2vol.study.analysis.opinions import grading_results, ranking_results, text_results
from napari_vol2vol.study.analysis.pooled import pooled_results
from napari_vol2vol.study.analysis.treatments import treatment_results
from napari_vol2vol.study.analysis.verdict import verdict
from napari_vol2vol.study.design import Arm, Block, Case, Item, Reader, Study
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.readings import Reading
from napari_vol2vol.study.statistics.multi_reader import auc_figures, compare
from study.statistics.published_readings import VAN_DYKE, VAN_DYKE_TRUTH, ratings_of

WHICH = Question("which", "2afc", "?", positive=("new", "old"))
SICK = Question("sick", "rating", "Dissection?", finding="dissection")
GRADE = Question("grade", "grading", "?", criteria=("noise",))
RANK = Question("rank", "ranking", "?")
WHY = Question("why", "text", "?")


def reading(reader, case, arms, question, value, order=1, **more):
    kind = {"which": "2afc", "sick": "rating", "grade": "grading", "rank": "ranking", "why": "text"}[question]
    values = {"truth": None, "correct": None, "positive": None, "score": None} | more
    block = values.pop("block", "b")
    role = values.pop("role", "test")
    return Reading(reader, block, order, role, f"{reader}{order}", case, arms, question, kind, value, None,
                   1.0 + order % 7, "2026-01-01T00:00:00+00:00", **values)  # fmt: skip


def pair_readings(right, system="new"):
    """Answers `(readers, cases)` to pairs of real and system, the side alternating."""
    found = []
    for r, row in enumerate(right):
        for c, correct in enumerate(row):
            left = (c + r) % 2 == 0
            arms = (system, "real") if left else ("real", system)
            truth = "left" if left else "right"
            value = truth if correct else {"left": "right", "right": "left"}[truth]
            found.append(
                reading(f"R{r}", f"c{c}", arms, "which", value, c + 1, truth=truth, correct=bool(correct),
                        positive=left, score=1.0 if value == "left" else -1.0)
            )  # fmt: skip
    return found


def study_of(questions, **more):
    arms = tuple(Arm(a) for a in ("real", "new", "old"))
    block = Block("b", (Item("c0", ("real", "new")),), tuple(q.name for q in questions))
    return Study("s", arms, (Case("c0", {}),), (Reader("R0"),), questions, (block,), **more)


def judged(study, right):
    (contest,) = contests(study, pair_readings(right))
    result = {
        "readers": {r: reader_results(contest, r, study.alpha, study.margin) for r in contest.readers},
        "pooled": pooled_results(contest, study),
    }
    return result, verdict(study, result)


def at_chance(readers, cases):
    """Exactly half right for every reader, on cases of his own."""
    rng = np.random.default_rng(0)
    return np.array([rng.permutation(np.arange(cases) % 2) for _ in range(readers)])


def test_equivalence_that_passes_at_the_planned_margin_may_be_called_so():
    study = study_of((WHICH,), analysis="equivalence", margin=0.15)
    _, words = judged(study, at_chance(3, 400))
    assert "indistinguishable at the margin of ±15 points fixed before reading" in words


@pytest.mark.parametrize(
    "more",
    [
        {"analysis": "superiority", "margin": 0.15},
        {"analysis": "superiority"},
        {"analysis": "equivalence", "margin": 0.01},
    ],
)
def test_the_word_needs_the_plan_and_the_test(more):
    _, words = judged(study_of((WHICH,), **more), at_chance(3, 400))
    assert "indistinguishable" not in words
    assert "that is no evidence of its absence" in words


def test_twenty_trials_at_half_are_not_called_equivalent():
    study = study_of((WHICH,), analysis="equivalence", margin=0.15)
    result, words = judged(study, at_chance(2, 20))
    assert result["readers"]["R0"]["correct"]["k"] == 10
    assert "equivalence within ±15 points is not shown" in words


def test_two_readers_allow_inference_to_cases_only_and_it_says_so():
    result, words = judged(study_of((WHICH,)), at_chance(2, 20))
    assert result["pooled"]["inference"] == "cases"
    assert "readers and cases" not in result["pooled"]["correct"]
    assert "read by these readers only" in words


def test_answers_all_alike_are_told_by_the_sign_test():
    _, words = judged(study_of((WHICH,)), np.ones((2, 20)))
    assert words.startswith(
        "Right in 100%; all cases were answered alike, exact sign test over cases p = 1.9e-06"
    )


def test_van_dykes_study_comes_out_of_readings_as_published():
    ratings = ratings_of(VAN_DYKE)
    readings = [
        reading(f"R{r}", f"c{c}", (arm,), "sick", int(ratings[t, r, c]), c + 1,
                positive=bool(VAN_DYKE_TRUTH[c]), truth=bool(VAN_DYKE_TRUTH[c]),
                score=float(ratings[t, r, c]))
        for t, arm in enumerate(("new", "old")) for r in range(5) for c in range(114)
    ]  # fmt: skip
    study = study_of((SICK,), margin=0.1)
    found = treatment_results(study, contests(study, readings))
    assert found["treatments"] == ["new", "old"]
    both = found["auc"]["jackknife"]["readers and cases"]
    assert (both["statistic"], both["df2"], both["p"]) == pytest.approx((4.4563, 15.2597, 0.05167), rel=1e-4)
    assert found["auc"]["delong"]["readers and cases"]["p"] == pytest.approx(0.05123303, rel=1e-6)
    expected = compare(auc_figures(ratings, VAN_DYKE_TRUTH), "cases").p
    assert found["auc"]["jackknife"]["cases"]["p"] == pytest.approx(expected)
    # new - old is -0.044 with an error of 0.021: old is not worse by 0.1, new not shown to be
    (test,) = both["non_inferiority"]
    assert test["p_other_not_worse"] < 1e-5
    assert test["p_one_not_worse"] == pytest.approx(0.0081, abs=5e-4)


def test_two_systems_on_the_same_pairs_are_compared_within_and_over_readers():
    new, old = np.array([[1, 1, 1, 0, 1, 1, 0, 1]] * 3), np.array([[0, 1, 0, 0, 1, 0, 0, 1]] * 3)
    study = study_of((WHICH,))
    group = contests(study, [*pair_readings(new), *pair_readings(old, "old")])
    found = treatment_results(study, group)
    assert found["within_readers"]["R0"]["mcnemar"][0]["counts"] == [3, 0]
    assert found["within_readers"]["R0"]["mcnemar"][0]["p"] == pytest.approx(0.25)
    assert found["correct"]["cases"]["differences"][0]["value"] == pytest.approx(3 / 8)


def test_repeats_tell_how_a_reader_agrees_with_himself():
    first = pair_readings([[1, 0, 1, 1]])
    again = [replace(r, role="repeat", order=r.order + 4) for r in first[:2]]
    again[1] = replace(again[1], value={"left": "right", "right": "left"}[again[1].value], correct=True)
    (contest,) = contests(study_of((WHICH,)), [*first, *again])
    found = reader_results(contest, "R0", 0.05, None)
    assert found["answers"] == 4
    assert (found["repeats"]["n"], found["repeats"]["same"]) == (2, 1)


def test_an_unbalanced_yes_no_block_is_not_tested_against_one_half():
    question = Question("is-it", "yes-no", "?", positive=("new",))
    rows = [
        replace(reading("R0", f"c{c}", ("new" if c < 3 else "real",), "why", "no", c + 1), question="is-it",
                kind="yes-no", truth="yes" if c < 3 else "no", correct=c >= 3, positive=c < 3, score=-0.5)
        for c in range(10)
    ]  # fmt: skip
    study = study_of((question,))
    (contest,) = contests(study, rows)
    found = reader_results(contest, "R0", 0.05, None)
    assert found["correct"]["p"] is None
    assert "is right in 70%" in found["correct"]["note"]
    assert pooled_results(contest, study)["correct"] is None


def test_opinions_are_graded_ranked_and_collected():
    study = study_of((GRADE, RANK, WHY))
    rows = []
    for c in range(6):
        rows += [
            reading("R0", f"c{c}", ("real",), "grade", {"noise": 2 + c % 2}, c),
            reading("R0", f"c{c}", ("new",), "grade", {"noise": 4}, c),
            reading("R0", f"c{c}", ("new", "real"), "rank", [0, 1] if c else [1, 0], c),
        ]
    rows.append(reading("R0", "c0", ("new",), "why", "too smooth"))
    (graded,) = grading_results(study, rows)
    assert (graded["one"], graded["other"], graded["area"]["value"]) == ("real", "new", 1.0)
    assert graded["means"] == [2.5, 4.0]
    (ranked,) = ranking_results(study, rows)
    strengths = {s["arm"]: s["log_strength"] for s in ranked["strengths"]}
    assert strengths["new"] - strengths["real"] == pytest.approx(np.log(5), abs=1e-5)
    assert text_results(study, rows)[0]["text"] == "too smooth"
