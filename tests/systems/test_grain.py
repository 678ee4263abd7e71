"""Grain: noise of the source stays, contrast medium goes, and no rim is left around it."""

import numpy as np
import pytest
import torch

from napari_vol2vol.systems import grain
from napari_vol2vol.systems.flow_options import KEEP, NETWORK
from napari_vol2vol.systems.grain import kept, with_grain_of

SHAPE = (40, 32, 36)


@pytest.fixture
def scan() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A source with noise and a vessel, what a smoothing network makes of it, and where the vessel is."""
    generator = torch.Generator().manual_seed(0)
    noise = 0.015 * torch.randn(SHAPE, generator=generator)
    vessel = torch.zeros(SHAPE, dtype=torch.bool)
    vessel[:, 12:20, 14:22] = True
    return 0.05 + 0.3 * vessel + noise, torch.full(SHAPE, 0.05), vessel


def test_the_noise_of_the_source_stays_outside_the_vessel(
    scan: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    source, smooth, vessel = scan
    result = kept(source, smooth)
    assert result[~vessel].std() > 0.85 * source[~vessel].std()


def test_the_vessel_is_gone_and_leaves_no_rim(scan: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    source, smooth, vessel = scan
    result = kept(source, smooth)
    torch.testing.assert_close(result[vessel], smooth[vessel])
    rim = torch.zeros_like(vessel)
    rim[:, 11:21, 13:23] = True
    assert abs(float(result[rim & ~vessel].mean()) - 0.05) < 0.003


def test_a_small_change_of_a_whole_region_arrives_in_full(
    scan: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    source = scan[0]
    torch.testing.assert_close(kept(source, source - 0.012), source - 0.012)


def test_slabs_do_not_show(
    scan: tuple[torch.Tensor, torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, smooth, _ = scan
    parts = kept(source, smooth)
    monkeypatch.setattr(grain, "SLICES_AT_ONCE", 1000)
    np.testing.assert_allclose(parts, kept(source, smooth), atol=1e-6)


def test_the_networks_own_answer_is_left_alone(scan: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    source, smooth, _ = scan
    assert with_grain_of(source, NETWORK)(smooth) is smooth
    assert not torch.equal(with_grain_of(source, KEEP)(smooth), smooth)
