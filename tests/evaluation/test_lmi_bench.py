import pytest

from napari_vol2vol.evaluation import lmi_bench


def test_the_bench_tells_seconds_agreement_and_memory(monkeypatch):
    monkeypatch.setattr(lmi_bench, "SLICE", (24, 20))
    monkeypatch.setattr(lmi_bench, "VOLUME", (12, 12, 12))
    first, second = lmi_bench.bench_lmi()
    assert first.difference < 1e-4
    assert first.speedup > 1
    assert first.speedup == pytest.approx(first.plain_seconds / first.seconds)
    assert second.plain_seconds is None
    assert second.speedup is None
    assert second.bound_gib > 0
