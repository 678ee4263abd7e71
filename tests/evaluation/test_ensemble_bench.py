import pytest

from napari_vol2vol.evaluation.ensemble_bench import ENSEMBLES, bench_ensembles


@pytest.fixture(scope="module")
def timings():
    return {t.system: t for t in bench_ensembles("compact-slim", 16, "cpu", repeats=1)}


def test_every_ensemble_is_timed_beside_the_average_that_it_builds_on(timings):
    assert set(timings) == set(ENSEMBLES)
    assert timings["score-fusion-tosm"].part == "tosm"
    assert timings["score-fusion-tosm"].part_seconds == timings["tosm"].seconds > 0


def test_the_ratio_is_that_of_the_two_times(timings):
    t = timings["score-fusion"]
    assert t.ratio == pytest.approx(t.seconds / timings["tpdm"].seconds)


def test_a_3d_network_of_another_preset_can_be_timed():
    last = list(bench_ensembles("compact", 16, "cpu", fusion_preset="compact-small", repeats=1))[-1]
    assert last.system == "score-fusion-madm"
