import pytest
import torch
from torch import nn

from napari_vol2vol.sampling.plane_velocity import plane_velocity
from napari_vol2vol.sampling.planes import PLANES, as_slices

SHAPE = (6, 8, 10)


class Differences(nn.Module):
    """Answers with a channel less another, and notes what it saw."""

    def __init__(self, one, other):
        super().__init__()
        self.one, self.other, self.seen = one, other, []

    def forward(self, x, t, label):
        self.seen.append(x.shape[1])
        return x[:, self.one, None] - x[:, self.other, None], []


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_the_network_sees_x_t_and_then_the_neighbours_of_the_source_in_order(plane, batch):
    x, source = torch.randn(SHAPE), torch.randn(SHAPE)
    before, own, after = (
        plane_velocity(Differences(0, 1 + k), plane, source, 3, slice_batch=batch)(x, 0.5) for k in range(3)
    )
    torch.testing.assert_close(own, x - source)
    stack = as_slices(source[None], plane)
    there, back = (as_slices(v[None], plane) for v in (x - before, x - after))
    torch.testing.assert_close(there[1:], stack[:-1])
    torch.testing.assert_close(back[:-1], stack[1:])
    torch.testing.assert_close(there[0], stack[0])  # the ends are replicated, never wrapped
    torch.testing.assert_close(back[-1], stack[-1])


def test_the_papers_network_sees_x_t_alone():
    network = Differences(0, 0)
    plane_velocity(network, "axial", torch.randn(SHAPE), 0, slice_batch=4)(torch.randn(SHAPE), 0.5)
    assert set(network.seen) == {1}
