"""What `vol2vol contrast bench` says of a run beside what it measures."""

import pytest

from napari_vol2vol.evaluation.contrast_bench import ContrastTiming, bench_contrast


@pytest.fixture(scope="module")
def timing() -> ContrastTiming:
    return bench_contrast(64, 4, plain_slices=2)


def test_seconds_are_those_of_slices_and_network_calls(timing: ContrastTiming) -> None:
    assert (timing.shape, timing.calls) == ((4, 64, 64), 2)
    assert timing.seconds_a_call == pytest.approx(timing.seconds / 8)
    assert timing.run_faster == pytest.approx(timing.plain_seconds_a_call / timing.seconds_a_call)
    assert timing.faster == pytest.approx(timing.plain_seconds_a_call / timing.batched_seconds_a_call)
    assert timing.precision in ("float32", "bfloat16")


def test_a_run_that_sees_the_body_alone_computes_no_more_than_the_plain_loop(timing: ContrastTiming) -> None:
    assert 0 < timing.gflop <= timing.plain_gflop


def test_the_bound_is_what_matrix_products_alone_would_need() -> None:
    timing = ContrastTiming(
        (2, 8, 8), "rk2", 1, 2, 4.0, 0.8, 3.0, gflop=10.0, plain_gflop=20.0, product_gflop_a_second=20.0
    )
    assert timing.bound == pytest.approx(6.0)
