import numpy as np

from napari_vol2vol.engine.memory import Plan, step_down
from napari_vol2vol.engine.statistics import RunningStatistics


def test_running_statistics_agree_with_numpy_and_hold_two_arrays_only():
    rng = np.random.default_rng(0)
    samples = rng.normal(1000, 3, (20, 4, 5, 6)).astype(np.float32)
    running = RunningStatistics()
    assert running.mean is None
    for i, sample in enumerate(samples, start=1):
        running.add(sample)
        assert (running.std is None) == (i < 2)
    assert np.allclose(running.mean, samples.mean(0), atol=1e-3)
    assert np.allclose(running.std, samples.std(0, ddof=1), rtol=1e-3)


def test_the_ladder_ends_on_the_cpu_and_never_repeats_a_plan():
    plan, seen = Plan(128, None, "cuda:0"), set()
    while (step := step_down(plan, 192)) is not None:
        plan, words = step
        assert words
        assert plan not in seen
        seen.add(plan)
        assert len(seen) < 20
    assert plan.device == "cpu"
    assert plan.slab == 32
