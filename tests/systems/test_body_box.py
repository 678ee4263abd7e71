"""The box around the body: what is in it, what is not, and what a velocity does outside."""

import pytest
import torch

from napari_vol2vol.systems.body_box import MARGIN, STRIDE, body_box, inside


def scan(shape: tuple[int, int, int] = (16, 128, 160)) -> torch.Tensor:
    """Air with a body of fat in the middle and a thin table below."""
    ct = torch.full(shape, -1.0)
    ct[:, 40:90, 50:120] = -0.1
    ct[:, 10:12, 30:140] = 0.2
    return ct


def test_the_box_holds_the_body_with_a_margin_and_not_the_table() -> None:
    z, y, x = body_box(scan(), 16)
    assert z == slice(0, 16)
    assert 12 <= y.start <= 40 - MARGIN + STRIDE
    assert y.stop >= 90 + MARGIN - STRIDE
    assert x.start <= 50 - MARGIN + STRIDE
    assert x.stop >= 120 + MARGIN - STRIDE
    assert (y.stop - y.start) * (x.stop - x.start) < 0.6 * 128 * 160


@pytest.mark.parametrize("size", [96, 112, 136, 150, 151])
@pytest.mark.parametrize("asked", [8, 16, 64])
def test_the_box_is_divisible_as_asked_for_where_the_grid_is(size: int, asked: int) -> None:
    ct = torch.full((8, size, size), -1.0)
    ct[:, size // 3 : size // 2, size // 3 : size // 2] = 0.0
    multiple = min(size & -size, asked)
    for side, n in zip(body_box(ct, asked), ct.shape, strict=True):
        assert 0 <= side.start < side.stop <= n
    assert all((side.stop - side.start) % multiple == 0 for side in body_box(ct, asked)[1:])


def test_arms_beside_the_body_are_in_the_box() -> None:
    ct = scan()
    ct[:, 50:70, 8:24] = 0.0
    assert body_box(ct, 16)[2].start <= 8


def test_a_scan_of_air_is_looked_at_as_a_whole() -> None:
    assert body_box(torch.full((8, 32, 48), -1.0), 16) == (slice(0, 8), slice(0, 32), slice(0, 48))


def test_outside_the_box_nothing_changes_and_nothing_is_seen() -> None:
    seen: list[torch.Size] = []

    def velocity(x: torch.Tensor, t: float) -> torch.Tensor:
        seen.append(x.shape)
        return torch.ones_like(x)

    ct = scan()
    box = body_box(ct, 16)
    out = inside(velocity, box)(ct, 1.0)
    assert seen == [ct[box].shape]
    assert out[box].min() == 1
    assert out.sum() == ct[box].numel()
