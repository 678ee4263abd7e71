"""The paper's two experiments, read with keys by three readers; their figures are counted by hand."""

import random
from math import comb

import pytest

from napari_vol2vol.study.analysis.results import analyse
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.freeze import freeze
from napari_vol2vol.study.merge import lock
from napari_vol2vol.study.preset import mfm_paper
from study.small_studies import truth_of, write_case
from ui.reading.driver import open_window, read

OTHER = {"left": "right", "right": "left", "yes": "no", "no": "yes"}
READERS = ("perfect", "random", "biased")
SHAPES = {"which": (20, 20), "is-it": (20, 20)}


@pytest.fixture(scope="module")
def frozen_paper(tmp_path_factory):
    folder = StudyFolder(tmp_path_factory.mktemp("paper"))
    entered = [write_case(folder.path, f"c{n:02d}", n) for n in range(42)]
    cases = [{arm: folder.path / file.path for arm, file in case.volumes.items()} for case in entered]
    folder.save(mfm_paper("paper", cases, readers=READERS, seed=5, window=None))
    freeze(folder)
    return folder


def two_sided(k, n=20):
    return min(1.0, 2 * sum(comb(n, i) for i in range(min(k, n - k) + 1)) / 2**n)


def test_three_readers_read_the_paper_and_get_the_figures_they_earned(qtbot, frozen_paper):
    rng = random.Random(11)
    right = {"which": 0, "is-it": 0}

    def at_random(session):
        truth = truth_of(frozen_paper, session)
        answer = rng.choice([truth, OTHER[truth]])
        if session.trial.role == "test":
            right[session.question.name] += answer == truth
        return answer, rng.randint(1, 5)

    answers = {
        "perfect": lambda session: (truth_of(frozen_paper, session), 5),
        "random": at_random,
        "biased": lambda session: ("left" if session.question.kind == "2afc" else "yes", 3),
    }
    for reader in READERS:
        window = open_window(qtbot, frozen_paper.reading, reader)
        read(qtbot, window, answers[reader])
        window.close()
    lock(frozen_paper)
    found = {contest["question"]: contest["readers"] for contest in analyse(frozen_paper)["contests"]}
    for question, (k, n) in SHAPES.items():
        counts = {"perfect": k, "random": right[question], "biased": 10}
        for reader, correct in counts.items():
            own = found[question][reader]["correct"]
            assert (own["k"], own["n"]) == (correct, n)
            assert own["p"] == pytest.approx(two_sided(correct))
        assert found[question]["perfect"]["auc"]["value"] == 1
        assert found[question]["biased"]["auc"]["value"] == 0.5
        assert found[question]["biased"]["preference"]["k"] == 20
        low = 0.025 ** (1 / 20)
        assert found[question]["perfect"]["correct"]["low"] == pytest.approx(low)
