import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.schedules import make_schedule
from napari_vol2vol.training.pool import PoolSettings, VolumePool
from napari_vol2vol.training.recipe import Phase, load_recipe
from napari_vol2vol.training.stages import Draw, diffuse, plane_loss, regression_loss
from napari_vol2vol.training.trainer import Loop, LoopSettings, draw_curves, learning_rate
from tiny_bundles import PLANE, REGRESSION

FACTOR = (4, 4, 4)
POOL = PoolSettings(
    entries=2, crop=24, renew_every=10**9, phantom_share=1.0, phantom_anatomies=1, phantom_shape=(32, 32, 32)
)
SETTINGS = LoopSettings(steps=4, warmup=2, validate_every=2)


def recipe(**changes):
    shipped = load_recipe("sr4-t1-planes")
    return replace(shipped, crop=16, batch=2, pool=POOL, loop=SETTINGS, **changes)


def make_loop(folder, *, stop_at=None, renew_every=10**9, **options):
    """A loop over a tiny plane network; ``stop_at`` interrupts it there, as Ctrl-C would."""
    torch.manual_seed(0)
    mine = recipe()
    mine = replace(mine, pool=replace(POOL, renew_every=renew_every))
    pool = VolumePool([], FACTOR, mine.pool, seed=1)
    loss = plane_loss(Draw(pool, mine, Diffused("residual", pool.scale_of("residual"))))

    def interrupted(network, step):
        if step == stop_at:
            raise KeyboardInterrupt
        return loss(network, step)

    return Loop(UNet(PLANE), interrupted, SETTINGS, folder, **options)


def parameters(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    """Bitwise where the pool was not renewed in between; see the next test for what renewals change."""
    whole = make_loop(tmp_path / "whole")
    expected = whole.run()
    first = make_loop(tmp_path / "two", stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    first.save()
    second = make_loop(tmp_path / "two")
    assert second.step == 2
    assert torch.equal(parameters(second.run()), parameters(expected))
    assert torch.equal(parameters(second.network), parameters(whole.network))


def test_a_cancelled_run_leaves_the_step_it_had_reached(tmp_path):
    cancel = threading.Event()
    whole = make_loop(tmp_path / "whole").run()
    first = make_loop(tmp_path / "two", cancel=cancel)
    one_step = first._one_step

    def step_and_cancel():
        cancel.set()
        return one_step()

    first._one_step = step_and_cancel
    with pytest.raises(KeyboardInterrupt):
        first.run()
    second = make_loop(tmp_path / "two")
    assert second.step == 1
    assert torch.equal(parameters(second.run()), parameters(whole))


def test_a_run_resumed_after_renewals_takes_the_same_steps_on_other_pool_entries(tmp_path):
    """A checkpoint holds no pool (it would be gigabytes); a resumed run starts from the first entries again.

    So the runs agree up to the interruption, draw the same slices, times and noise at each step afterwards,
    and differ only in which augmented volumes they are drawn from.
    """
    whole = make_loop(tmp_path / "whole", renew_every=1)
    expected = whole.run()
    first = make_loop(tmp_path / "two", renew_every=1, stop_at=3)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    first.save()
    second = make_loop(tmp_path / "two", renew_every=1)
    second.run()
    assert second.step == whole.step == 4
    assert not torch.equal(parameters(second.ema.network), parameters(expected))
    assert torch.allclose(parameters(second.ema.network), parameters(expected), atol=0.01)


def test_the_random_numbers_of_a_step_depend_on_nothing_before_it():
    pool = VolumePool([], FACTOR, POOL, seed=1)
    one, other = (
        Draw(pool, recipe(), Diffused("residual", 0.2)),
        Draw(pool, recipe(), Diffused("residual", 0.2)),
    )
    for step in range(3):
        one.generator(step).random(100)
    assert one.generator(3).random() == other.generator(3).random()


def test_a_checkpoint_cut_short_leaves_the_one_before_whole(tmp_path, monkeypatch):
    loop = make_loop(tmp_path)
    loop.run()

    def full_disk(state, path):
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        loop.save()
    monkeypatch.undo()
    assert make_loop(tmp_path).step == 4


def test_validation_runs_on_the_average_network_and_its_figures_are_written(tmp_path):
    seen = []

    def validate(network):
        seen.append(network)
        return {"psnr": 30.0 + len(seen), "smooth": 29.0}

    loop = make_loop(tmp_path, validate=validate)
    loop.run()
    assert seen == [loop.ema.network, loop.ema.network]
    text = (tmp_path / "loss.csv").read_text()
    assert "psnr,31.0" in text
    assert "psnr,32.0" in text
    assert (tmp_path / "loss.png").stat().st_size > 1000


def test_curves_are_left_out_where_there_is_no_table(tmp_path):
    draw_curves(tmp_path / "loss.csv", tmp_path / "loss.png")
    assert not (tmp_path / "loss.png").exists()


def test_the_learning_rate_warms_up_and_ends_at_its_final_share():
    settings = LoopSettings(steps=100, lr=1e-3, warmup=10, final_lr=0.02)
    rates = [learning_rate(settings, i) for i in range(101)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == rates[9] == rates[10] == pytest.approx(1e-3)
    assert rates[100] == pytest.approx(2e-5)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_short_training_lowers_the_loss(tmp_path):
    pool = VolumePool([], FACTOR, POOL, seed=1)
    mine = recipe(phases=(Phase(16, 2, 30),))
    loss = regression_loss(Draw(pool, mine, Diffused("residual", pool.scale_of("residual"))))
    torch.manual_seed(0)
    network = UNet(REGRESSION)
    with torch.no_grad():
        before = float(sum(loss(network, 1000 + i) for i in range(5)))
    settings = LoopSettings(steps=30, lr=3e-3, warmup=3, ema=0.8)
    trained = Loop(network, loss, settings, tmp_path).run()
    with torch.no_grad():
        after = float(sum(loss(trained, 1000 + i) for i in range(5)))
    assert after < 0.97 * before


@pytest.mark.parametrize("real", [True, False])
def test_the_same_seed_gives_the_same_pool_and_another_seed_another(real):
    rng = np.random.default_rng(0)
    volumes = [rng.uniform(0, 1, (30, 28, 20)).astype(np.float32)] if real else []
    settings = replace(POOL, phantom_share=0.0 if real else 1.0)
    pools = [VolumePool(volumes, FACTOR, settings, seed) for seed in (1, 1, 2)]
    for pool in pools:
        pool.renew()
        assert all(e.image.shape == e.conditions["base"].shape == (24, 24, 24) for e in pool.entries)
        assert all(-1 <= float(e.image.min()) <= float(e.image.max()) <= 1 for e in pool.entries)
    images = [torch.stack([e.image for e in pool.entries]) for pool in pools]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])


def test_the_base_of_an_entry_has_the_block_means_of_its_image():
    pool = VolumePool([], FACTOR, POOL, seed=1)
    entry = pool.entries[0]
    means = [t.reshape(6, 4, 6, 4, 6, 4).mean((1, 3, 5)) for t in (entry.image, entry.conditions["base"])]
    assert torch.allclose(means[0], means[1], atol=1e-5)


def test_a_pool_of_nothing_is_refused():
    with pytest.raises(SettingsError, match="neither real volumes nor procedural heads"):
        VolumePool([], FACTOR, replace(POOL, phantom_share=0.0), seed=0)


def test_times_are_spread_evenly_over_a_batch():
    x0 = torch.randn(16, 1, 4, 4)
    x_t, wanted, t = diffuse(x0, make_schedule("vp_cosine"), "x0", np.random.default_rng(0))
    assert x_t.shape == x0.shape
    assert torch.equal(wanted, x0)
    assert sorted((t * 16).floor().long().tolist()) == list(range(16))


def test_an_early_density_spends_three_quarters_of_the_draws_on_the_first_half_of_a_run():
    x0 = torch.zeros(4000, 1, 1)
    *_, uniform = diffuse(x0, make_schedule("vp_cosine"), "v", np.random.default_rng(0))
    *_, early = diffuse(x0, make_schedule("vp_cosine"), "v", np.random.default_rng(0), 1.0)
    assert float((uniform > 0.5).float().mean()) == pytest.approx(0.5, abs=0.01)
    assert float((early > 0.5).float().mean()) == pytest.approx(0.75, abs=0.01)


def test_the_scale_of_a_head_may_come_from_a_block_of_it():
    whole = replace(POOL, crop=32, phantom_shape=(32, 32, 32))
    block = replace(whole, smallest_view=6)
    fixed, free = (VolumePool([], FACTOR, settings, seed=1, target="FLAIR") for settings in (whole, block))
    assert float(np.percentile(fixed.entries[0].image, 99.5)) > 0.6
    shapes = {tuple(s.stop - s.start for s in free._view((32, 32, 32))) for _ in range(20)}
    assert len(shapes) > 10
    assert all(6 <= edge <= 32 for shape in shapes for edge in shape)


def test_a_recipe_can_ask_for_a_lesion_in_every_head():
    with_lesions = VolumePool([], FACTOR, replace(POOL, phantom_anatomies=4, lesions=True), seed=1)
    without = VolumePool([], FACTOR, replace(POOL, phantom_anatomies=4, lesions=False), seed=1)
    assert all(anatomy.core.max() > 0.5 for anatomy in with_lesions._anatomies)
    assert all(anatomy.core.max() == 0 for anatomy in without._anatomies)
