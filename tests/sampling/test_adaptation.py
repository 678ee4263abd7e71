import gc

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.admm_tv import AdmmTV
from napari_vol2vol.physics.fourier_sampling import FourierSampling
from napari_vol2vol.physics.noise import measured
from napari_vol2vol.physics.parallel_beam import ParallelBeam
from napari_vol2vol.sampling.adaptation import (
    AdaptationSettings,
    SliceAdaptation,
    VolumeAdaptation,
    adapting,
    fidelity,
    one_after_the_other,
)
from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.sampling.corrections import Proximal, TotalVariationAlongZ
from napari_vol2vol.sampling.dds_ddim import dds_ddim
from napari_vol2vol.sampling.low_rank import LowRankWeights
from napari_vol2vol.sampling.schedules import timesteps
from napari_vol2vol.sampling.slice_prior import SlicePrior
from napari_vol2vol.sampling.warm_start import from_estimate
from sampling.small_prior import DIFFUSED, small_prior

SHAPE = (8, 16, 16)
TRUTH = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))
MASK = torch.zeros(16, 16)
MASK[:, 4:12:2] = 1
OPERATOR = FourierSampling(MASK)
Y = measured(OPERATOR, TRUTH, 0.01)
QUICK = AdaptationSettings(iterations=2, slices=3, learning_rate=1e-2)
ARGUMENTS = torch.ones(2, 1, 16, 16), torch.full((2,), 0.5), torch.zeros(2, dtype=torch.int64)


def proximal(steps=3):
    return Proximal(OPERATOR, Y, 0.5, steps)


def x_at(t, shape=SHAPE):
    alpha, sigma = DIFFUSED.coefficients(t, TRUTH)
    return alpha * TRUTH + sigma * torch.randn(shape, generator=torch.Generator().manual_seed(1))


def run(denoiser, weights, steps=4, sampler=None, noise_seed=2):
    g = torch.Generator().manual_seed(noise_seed)
    noise = [torch.randn(SHAPE, generator=g) for _ in range(3 * steps + 2)]
    sampler = sampler or adapting(from_estimate(dds_ddim, OPERATOR.adjoint(Y)), weights)
    with torch.inference_mode():
        return list(
            sampler(denoiser, noise[0], timesteps(steps), DIFFUSED.schedule, lambda i: noise[i], eta=0.85)
        )


@pytest.fixture
def prior():
    return small_prior(slice_batch=4)


@pytest.fixture
def restored(prior):
    before = {name: p.clone() for name, p in prior.network.named_parameters()}
    answer = prior.network(*ARGUMENTS)[0]
    yield
    assert {n: p.dtype for n, p in prior.network.named_parameters()} == {
        n: p.dtype for n, p in before.items()
    }
    assert all(torch.equal(p, before[name]) for name, p in prior.network.named_parameters())
    assert torch.equal(prior.network(*ARGUMENTS)[0], answer)


def counted(prior):
    """Sizes of the batches the network was called with: recording gradients, and not."""
    sizes = {True: [], False: []}
    prior.network.register_forward_pre_hook(
        lambda module, args: sizes[torch.is_grad_enabled()].append(len(args[0]))
    )
    return sizes


def test_the_loss_is_the_residual_of_the_corrected_estimate_a_slice(prior):
    x_t = x_at(0.5)
    correction = proximal()
    loss = fidelity(prior, correction, x_t, 0.5)
    estimate = correction(prior(x_t, 0.5), 0.5)
    assert torch.allclose(loss, (OPERATOR(estimate) - Y).abs().square().sum() / 8)


def test_adapting_lowers_the_residual(prior, restored):
    weights = LowRankWeights(prior.network)
    settings = AdaptationSettings(iterations=15, slices=8, learning_rate=3e-3)
    adaptation = VolumeAdaptation(prior, proximal(), weights, settings)
    with weights:
        before = float(fidelity(prior, proximal(), x_at(0.5), 0.5).detach())
        adaptation(x_at(0.5), 0.5)
        after = float(fidelity(prior, proximal(), x_at(0.5), 0.5).detach())
    assert after < 0.9 * before
    assert adaptation.last_loss < before


@pytest.mark.parametrize("kind", [VolumeAdaptation, SliceAdaptation])
def test_weights_are_restored_after_the_last_step(prior, restored, kind):
    weights = LowRankWeights(prior.network)
    steps = run(Corrected(kind(prior, proximal(), weights, QUICK), proximal()), weights)
    assert len(steps) == 4
    assert steps[-1].x0_hat.shape == SHAPE


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("kind", [VolumeAdaptation, SliceAdaptation])
def test_weights_are_restored_after_a_cancel_inside_the_optimisation(prior, restored, kind, error):
    ticks = []

    def tick():
        ticks.append(1)
        if len(ticks) == 3:
            raise error

    weights = LowRankWeights(prior.network)
    with pytest.raises(error):
        run(Corrected(kind(prior, proximal(), weights, QUICK, tick=tick), proximal()), weights)


def test_weights_are_restored_when_the_run_is_closed_between_two_steps(prior, restored):
    weights = LowRankWeights(prior.network)
    denoiser = Corrected(VolumeAdaptation(prior, proximal(), weights, QUICK), proximal())
    sampler = adapting(from_estimate(dds_ddim, OPERATOR.adjoint(Y)), weights)
    steps = sampler(denoiser, x_at(1.0), timesteps(4), DIFFUSED.schedule, lambda i: x_at(1.0), eta=0.85)
    next(steps)
    assert any(p.requires_grad for p in prior.network.parameters())
    steps.close()


def test_d3ip_costs_the_same_for_any_number_of_slices_and_sees_k_of_them(prior):
    seen = []
    for depth in (4, 8):
        sizes = counted(prior)
        correction = Proximal(OPERATOR, Y[:depth], 0.5, 3)
        weights = LowRankWeights(prior.network)
        with weights, torch.inference_mode():
            VolumeAdaptation(prior, correction, weights, QUICK)(x_at(0.5)[:depth], 0.5)
            size = sum(p.numel() for p in weights.parameters())
        seen.append((sizes[True][:2], max(sizes[False]), size))
    assert seen[0] == seen[1] == ([3, 3], 4, seen[0][2])


def test_random_slices_are_distinct_and_neighbours_lie_side_by_side(prior):
    weights = LowRankWeights(prior.network)
    scattered = VolumeAdaptation(prior, proximal(), weights, QUICK)
    together = VolumeAdaptation(prior, proximal(), weights, QUICK, neighbours=True)
    draws = [(scattered.draw(20), together.draw(20)) for _ in range(200)]
    assert all(len(set(a.tolist())) == 3 for a, _ in draws)
    assert any(a.diff().abs().max() > 1 for a, _ in draws)
    assert all(torch.equal(b.diff(), torch.ones(2, dtype=torch.int64)) for _, b in draws)
    for which in (0, 1):
        drawn = torch.cat([d[which] for d in draws])
        assert set(drawn.tolist()) == set(range(20))
    assert scattered.draw(2).sort().values.tolist() == [0, 1]


def test_nothing_is_optimised_outside_the_horizon(prior):
    sizes = counted(prior)
    weights = LowRankWeights(prior.network)
    adaptation = VolumeAdaptation(prior, proximal(), weights, QUICK)
    with weights, torch.inference_mode():
        for t, expected in [(0.97, 0), (0.96, 2), (0.5, 4), (0.04, 6), (0.03, 6)]:
            adaptation(x_at(t), t)
            assert len(sizes[True]) == expected


def test_the_same_seed_gives_the_same_volume_and_each_run_begins_anew(prior):
    weights = LowRankWeights(prior.network)
    denoiser = Corrected(VolumeAdaptation(prior, proximal(), weights, QUICK), proximal())
    first, again = run(denoiser, weights)[-1].x0_hat, run(denoiser, weights)[-1].x0_hat
    assert torch.equal(first, again)
    settings = AdaptationSettings(iterations=2, slices=3, learning_rate=1e-2, seed=1)
    other = Corrected(VolumeAdaptation(prior, proximal(), weights, settings), proximal())
    assert not torch.equal(first, run(other, weights)[-1].x0_hat)


def test_ddip_treats_each_slice_as_if_it_were_alone(prior):
    weights = LowRankWeights(prior.network)
    t = 0.5
    with weights, torch.inference_mode():
        together = SliceAdaptation(prior, proximal(), weights, QUICK)(x_at(t), t)
        for i in (0, 5):
            one = Proximal(OPERATOR, Y[i : i + 1], 0.5, 3)
            alone = SliceAdaptation(prior, one, weights, QUICK)(x_at(t)[i : i + 1], t)
            assert torch.allclose(alone, together[i : i + 1], atol=1e-5)


def test_ddip_carries_the_weights_of_each_slice_from_step_to_step(prior):
    weights = LowRankWeights(prior.network)
    adaptation = SliceAdaptation(prior, proximal(), weights, QUICK)
    with weights, torch.inference_mode():
        adaptation(x_at(0.6), 0.6)
        first = adaptation._states
        assert len(first) == 8
        assert not torch.equal(first[0][1], first[5][1])
        ended = [s[1].clone() for s in first]
        adaptation(x_at(0.97), 0.02)  # outside the horizon: the weights are used, not changed
        assert all(torch.equal(a, s[1]) for a, s in zip(ended, adaptation._states, strict=True))


def test_scd_has_one_step_of_cg_in_its_loss_and_more_in_sampling(prior, monkeypatch):
    calls = []
    original = ParallelBeam.normal
    monkeypatch.setattr(ParallelBeam, "normal", lambda self, x: calls.append(1) or original(self, x))
    weights = LowRankWeights(prior.network)
    beam, counts = ParallelBeam.evenly((16, 16), 6), {}
    for name, loss in {n: Proximal(beam, beam(TRUTH), steps=s) for n, s in [("scd", 1), ("ddip", 5)]}.items():
        with weights, torch.inference_mode():
            calls.clear()
            SliceAdaptation(prior, loss, weights, QUICK)(x_at(0.5), 0.5)
            counts[name] = len(calls)
    assert counts == {"scd": 8 * 2 * 2, "ddip": 8 * 2 * 6}  # slices x iterations x (steps + first residual)


def test_reptile_goes_a_share_of_the_way(prior):
    weights = LowRankWeights(prior.network)
    t, found = 0.5, {}
    with weights, torch.inference_mode():
        start = weights.state()
        for name, meta in {
            "whole": (1.0, 1.0),
            "half": (0.5, 0.5),
            "paper": (1.0, 0.5),
            "none": None,
        }.items():
            VolumeAdaptation(prior, proximal(), weights, QUICK, meta=meta)(x_at(t), t)
            found[name] = weights.state()
    for begin, whole, half, paper, none in zip(start, *found.values(), strict=True):
        assert torch.equal(whole, none)
        assert torch.allclose(half, begin + 0.5 * (whole - begin))
        assert torch.allclose(paper, begin + 0.75 * (whole - begin))


def test_d3ip_meta_tunes_each_slice_from_the_weights_of_the_volume(prior, restored):
    weights = LowRankWeights(prior.network)
    volume = VolumeAdaptation(prior, proximal(), weights, QUICK, meta=(1.0, 0.5))
    slices = SliceAdaptation(prior, proximal(), weights, QUICK, from_current=True)
    began = []
    original = slices._begins

    def begins(t):
        if original(t):
            began.append(weights.state())
            return True
        return False

    slices._begins = begins
    denoisers = [Corrected(each, proximal()) for each in (volume, slices)]
    inner = one_after_the_other(from_estimate(dds_ddim, OPERATOR.adjoint(Y)), denoisers)
    steps = run(denoisers[0], weights, sampler=adapting(inner, weights))
    assert [s.t for s in steps[:4]] == [s.t for s in steps[4:]]
    assert torch.equal(steps[0].x_t, steps[4].x_t)
    assert len(began) == 1
    assert any(value.any() for value in began[0][1::2])  # the second factors are no longer zero


def test_d3ip_mbir_adapts_on_neighbours_through_admm(prior, restored):
    correction = TotalVariationAlongZ(OPERATOR, Y, AdmmTV(0.01, 0.5, (-3,), 3, 2), loss_steps=1)
    weights = LowRankWeights(prior.network)
    adaptation = VolumeAdaptation(prior, correction, weights, QUICK, neighbours=True)
    steps = run(Corrected(adaptation, correction), weights)
    assert torch.isfinite(steps[-1].x0_hat).all()
    assert correction.multiplier.shape == (1, *SHAPE)
    plain = run(Corrected(prior, correction), weights)
    assert not torch.allclose(plain[-1].x0_hat, steps[-1].x0_hat)


def test_complex_images_adapt_as_well():
    prior = small_prior(2)
    operator = FourierSampling(MASK, complex_image=True)
    truth = torch.randn(2, *SHAPE)
    correction = Proximal(operator, operator(truth), 0.2, 2)
    weights = LowRankWeights(prior.network)
    with weights, torch.inference_mode():
        for kind in (VolumeAdaptation, SliceAdaptation):
            assert kind(prior, correction, weights, QUICK)(truth, 0.5).shape == (2, *SHAPE)


def test_bad_settings_name_the_field():
    with pytest.raises(SettingsError, match="iterations, slices: found 0, 6"):
        AdaptationSettings(iterations=0)
    with pytest.raises(SettingsError, match=r"learning_rate, horizon: found 0\.001, 0\.5"):
        AdaptationSettings(horizon=0.5)


def test_the_settings_of_the_paper_are_the_defaults():
    settings = AdaptationSettings()
    assert (settings.slices, settings.horizon, settings.iterations, settings.learning_rate) == (
        6,
        0.04,
        10,
        1e-3,
    )
    assert LowRankWeights(small_prior().network).rank == 4


def alive():
    return [thing for thing in gc.get_objects() if type(thing) is torch.Tensor]


def test_d3ip_holds_only_a_few_volumes_whatever_the_number_of_slices(prior):
    """x_t, the prior's estimate, the corrected one and its copy while noise is added: no start, no A^T y."""
    depth, most = 64, []
    volume = torch.rand((depth, 16, 16), generator=torch.Generator().manual_seed(5))
    y = measured(OPERATOR, volume, 0.01)
    before = {id(tensor) for tensor in alive()}

    def count(step=0):
        new = (tensor.untyped_storage() for tensor in alive() if id(tensor) not in before)
        storages = {storage.data_ptr() for storage in new if storage.nbytes() >= volume.nbytes}
        most.append(len(storages))
        return torch.randn(depth, 16, 16)

    watched = SlicePrior(prior.network, DIFFUSED, slice_batch=4, tick=count)
    correction, weights = Proximal(OPERATOR, y, 0.5, 3, slice_batch=4), LowRankWeights(prior.network)
    denoiser = Corrected(VolumeAdaptation(watched, correction, weights, QUICK), correction)
    sampler = adapting(from_estimate(dds_ddim, lambda: OPERATOR.adjoint(y)), weights)
    with torch.inference_mode():
        steps = sampler(denoiser, count(), timesteps(4), DIFFUSED.schedule, count, eta=0.85)
        while next(steps, None) is not None:
            pass
    assert max(most) <= 3


@pytest.mark.parametrize("kind", [VolumeAdaptation, SliceAdaptation])
def test_below_the_release_the_prior_is_the_bundles_own_and_what_it_learned_stays(prior, kind):
    weights = LowRankWeights(prior.network, rank=2)
    settings = AdaptationSettings(iterations=2, slices=3, learning_rate=1e-2, release=0.3)
    with torch.inference_mode():
        own = prior(x_at(0.2), 0.2)
        with weights:
            adaptation = kind(prior, proximal(), weights, settings)
            adaptation(x_at(0.5), 0.5)
            learned = weights.state()
            below = adaptation(x_at(0.2), 0.2)
            assert all(torch.equal(a, b) for a, b in zip(learned, weights.state(), strict=True))
            assert any(value.abs().sum() > 0 for value in learned[1::2])
    torch.testing.assert_close(below, own)


def test_a_release_outside_of_time_is_refused():
    with pytest.raises(SettingsError, match=r"release: found 1\.5"):
        AdaptationSettings(release=1.5)
