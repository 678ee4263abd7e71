import math

import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.lmi_bench import plain_local_mutual_information
from napari_vol2vol.networks.local_mutual_information import (
    LocalMutualInformation,
    WindowSettings,
    box_sum,
)

SMALL = WindowSettings(window=3, shifts=3, levels=4)
#: Each level keeps its own values: the soft histogram is a plain one.
SHARP = WindowSettings(window=5, shifts=3, levels=4, bandwidth=0.02)


def images(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1 for _ in range(2)]


def on_levels(shape, seed=0, levels=4):
    """Return images whose values lie on the levels."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, levels, shape, generator=generator).double() / (levels - 1) * 2 - 1


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((9, 7), SMALL),
        ((8, 11), WindowSettings(window=5, shifts=5, levels=6, bandwidth=0.8)),
        ((7, 6), WindowSettings(window=3, shifts=1, levels=8)),
        ((5, 4, 6), SMALL),
        ((4, 5, 4), WindowSettings(window=5, shifts=2, levels=3)),
    ],
)
def test_it_is_what_a_plain_loop_over_positions_and_shifts_finds(shape, settings):
    x, y = images((2, *shape))
    found = LocalMutualInformation(settings)(x, y)
    for one, a, b in zip(found, x, y, strict=True):
        expected = plain_local_mutual_information(a.numpy(), b.numpy(), settings)
        np.testing.assert_allclose(one.numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 3, 3, 4)])
def test_its_gradients_are_those_of_finite_differences(shape):
    x, y = (image.requires_grad_() for image in images(shape, seed=3))
    assert torch.autograd.gradcheck(LocalMutualInformation(SMALL), (x, y), atol=1e-5)


def test_no_image_says_more_of_x_than_x_itself_where_levels_keep_their_own_values():
    x = on_levels((1, 12, 12))
    layer = LocalMutualInformation(SHARP)
    best = layer(x, x)
    for seed in range(1, 9):
        assert (layer(x, on_levels((1, 12, 12), seed)) <= best + 1e-9).all()
    assert (layer(x, -x + 0.1 * torch.randn(x.shape, dtype=x.dtype)) <= best + 1e-9).all()


def test_of_x_and_itself_it_is_the_entropy_of_the_window():
    x = on_levels((1, 9, 9), seed=2)
    window = x[0, 2:7, 2:7].numpy()
    _, counts = np.unique(window, return_counts=True)
    shares = counts / counts.sum()
    found = LocalMutualInformation(SHARP)(x, x)[0, 4, 4]
    assert float(found) == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-9)


def test_a_constant_image_says_nothing_and_nothing_exceeds_the_largest_value():
    x, y = images((1, 10, 10))
    layer = LocalMutualInformation(SMALL)
    assert layer(torch.full_like(x, 0.3), y).abs().max() < 1e-9
    assert layer.largest == pytest.approx(math.log(4))
    assert 0 < float(layer(x, x).max()) <= layer.largest


def test_turning_intensities_round_changes_nothing():
    x, y = images((1, 10, 9))
    layer = LocalMutualInformation(SMALL)
    for a, b in ((-x, y), (x, -y), (-x, -y)):
        torch.testing.assert_close(layer(a, b), layer(x, y))


def test_an_affine_map_with_its_range_changes_nothing():
    x, y = images((1, 10, 9))
    moved = LocalMutualInformation(SMALL, x_range=(30.0, 90.0))
    torch.testing.assert_close(moved(30 * x + 60, y), LocalMutualInformation(SMALL)(x, y))


def test_any_relabelling_of_levels_changes_nothing_where_they_keep_their_own_values():
    x, y = on_levels((1, 10, 10), 4), on_levels((1, 10, 10), 5)
    layer = LocalMutualInformation(SHARP)
    label = ((x + 1) / 2 * 3).round().long()
    monotone, shuffled = (
        torch.tensor(v, dtype=x.dtype)[label] for v in ([-1, -1 / 3, 1 / 3, 1], [1, -1, 1 / 3, -1 / 3])
    )
    torch.testing.assert_close(layer(monotone, y), layer(x, y))
    torch.testing.assert_close(layer(shuffled, y), layer(x, y))


def test_a_monotone_curve_changes_a_soft_histogram_little_and_noise_changes_it_much():
    rng = np.random.default_rng(0)
    steps = torch.from_numpy(np.kron(rng.uniform(-1, 1, (6, 6)), np.ones((6, 6))))[None]
    layer = LocalMutualInformation(WindowSettings())
    own = layer(steps, steps)
    curved = layer(steps, ((steps + 1) / 2) ** 1.3 * 2 - 1)
    noise = layer(steps, torch.from_numpy(rng.uniform(-1, 1, steps.shape)))
    assert (curved - own).abs().mean() < 0.15 * (noise - own).abs().mean()


def test_the_sliding_window_finds_what_was_moved():
    x = on_levels((1, 24, 24), 6)
    moved = x.roll((2, -2), (1, 2))
    inner = (slice(None), slice(6, -6), slice(6, -6))
    sliding, fixed = (
        LocalMutualInformation(WindowSettings(window=5, shifts=n, levels=4, bandwidth=0.02)) for n in (3, 1)
    )
    torch.testing.assert_close(sliding(x, moved)[inner], sliding(x, x)[inner])
    assert fixed(x, moved)[inner].mean() < 0.6 * fixed(x, x)[inner].mean()


@pytest.mark.parametrize("chunk", [1, 8, 64])
def test_chunks_and_the_size_of_the_stack_change_nothing(chunk):
    x, y = images((3, 40, 30))
    settings = WindowSettings(levels=8, chunk=chunk)
    whole = LocalMutualInformation(WindowSettings(levels=8, chunk=64))(x, y)
    torch.testing.assert_close(LocalMutualInformation(settings)(x, y), whole)
    single = torch.cat(
        [LocalMutualInformation(settings)(a[None], b[None]) for a, b in zip(x, y, strict=True)]
    )
    torch.testing.assert_close(single, whole)


def test_a_call_allocates_no_more_than_its_formula_says():
    from weakref import finalize

    from torch.utils._python_dispatch import TorchDispatchMode

    class Held(TorchDispatchMode):
        """Counts the bytes of the storages that are alive."""

        def __init__(self):
            super().__init__()
            self.seen, self.now, self.peak = set(), 0, 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            for tensor in torch.utils._pytree.tree_leaves(result):
                if isinstance(tensor, torch.Tensor):
                    self.add(tensor.untyped_storage())
            return result

        def add(self, storage):
            key, size = storage._cdata, storage.nbytes()
            if key not in self.seen:
                self.seen.add(key)
                self.now += size
                self.peak = max(self.peak, self.now)
                finalize(storage, self.drop, key, size)

        def drop(self, key, size):
            self.seen.discard(key)
            self.now -= size

    for shape, settings in (
        ((1, 128, 128), WindowSettings()),
        ((1, 128, 128), WindowSettings(chunk=64)),
        ((1, 24, 24, 24), WindowSettings(window=9)),
    ):
        x, y = (image.float() for image in images(shape))
        with torch.inference_mode(False), torch.no_grad(), Held() as held:
            LocalMutualInformation(settings)(x, y)
        assert 0.2 * settings.peak_bytes(shape) < held.peak <= settings.peak_bytes(shape)


def test_box_sums_are_plain_sums_for_every_window():
    maps = torch.rand(2, 3, 12, 13, dtype=torch.float64)
    for window in range(1, 10):
        plain = maps.unfold(2, window, 1).unfold(3, window, 1).sum((-1, -2))
        torch.testing.assert_close(box_sum(maps, [window] * 2), plain)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 4}, "window: found 4, accepted are odd numbers from 3"),
        ({"shifts": 6}, "shifts: found 6, accepted are 1 to the window, 5"),
        ({"levels": 1}, "levels: found 1, accepted are 2 and more"),
        ({"bandwidth": 0.0}, "bandwidth: found 0.0"),
        ({"chunk": -1}, "chunk: found -1"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings, message):
    with pytest.raises(SettingsError, match=message):
        WindowSettings(**settings)


def test_images_of_different_shapes_are_refused():
    with pytest.raises(SettingsError, match=r"found \(1, 4, 4\) and \(1, 4, 5\)"):
        LocalMutualInformation(SMALL)(torch.zeros(1, 4, 4), torch.zeros(1, 4, 5))
    with pytest.raises(SettingsError, match=r"x_range: found 1\.0 to 1\.0"):
        LocalMutualInformation(SMALL, x_range=(1.0, 1.0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_finds_the_same():
    x, y = (image.float() for image in images((2, 40, 30)))
    layer = LocalMutualInformation(WindowSettings())
    torch.testing.assert_close(layer(x.cuda(), y.cuda()).cpu(), layer(x, y), atol=1e-5, rtol=1e-4)
