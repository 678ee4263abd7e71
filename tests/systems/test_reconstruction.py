import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.engine import Done, Progress, SnapshotBox, Started, Translation, translate
from napari_vol2vol.errors import BundleError, RunError, SettingsError
from napari_vol2vol.networks.padded import Padded
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.physics.admm_tv import AdmmTV
from napari_vol2vol.physics.filtered_back_projection import filtered_back_projection
from napari_vol2vol.physics.reconstructions import sense_cg
from napari_vol2vol.sampling.corrections import Proximal
from napari_vol2vol.sampling.gradients import whole
from napari_vol2vol.systems import reconstruction
from napari_vol2vol.systems.registry import get_system
from napari_vol2vol.tasks import get_task
from prior_bundles import SYSTEMS, make_prior, use_only
from reconstruction_volumes import small_head, small_torso
from systems.reconstruction_problems import problem

CT, MRI = get_task("sparse-view-ct"), get_task("mri-reconstruction")
ADAPTED = ("scd", "ddip", "d3ip", "d3ip-mbir", "d3ip-meta")
QUICK = {"iterations": 2, "slices": 2}


@pytest.fixture(scope="module", autouse=True)
def priors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("priors")
    with pytest.MonkeyPatch.context() as patch:
        use_only(folder, patch)
        make_prior(folder, 1)
        make_prior(folder, 2)
        yield folder


@pytest.fixture(scope="module")
def coils():
    how = MRI.simulation(mask="uniform1d", acceleration=2.0, coils=2, phase="smooth", acs=0.1)
    return MRI.degrade(small_head(), how)


def request_of(system, task="sparse-view-ct", steps=4, **options):
    known = {o.name for o in get_system(system).options}
    quick = {k: v for k, v in QUICK.items() if k in known}
    return Translation(
        task, system, steps=steps, precision="float32", device="cpu", options={**quick, **options}
    )


def run(request, source, **more):
    *events, done = translate(request, source, **more)
    assert isinstance(done, Done)
    return events, done


class Loaded:
    """Remembers the network of the last run, and the weights it was loaded with."""

    def __init__(self, patch):
        def load(card, device):
            self.network = original(card, device)
            self.before = {k: v.clone() for k, v in self.network.state_dict().items()}
            return self.network

        original = reconstruction.load_unet
        patch.setattr(reconstruction, "load_unet", load)

    def is_restored(self):
        after = self.network.state_dict()
        return set(after) == set(self.before) and all(
            torch.equal(after[k], v) for k, v in self.before.items()
        )


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("source", ["scan", "kspace", "coils"])
def test_every_prior_system_streams_its_estimates_on_the_grid_of_the_source(system, source, request):
    volume = request.getfixturevalue(source)
    task = "sparse-view-ct" if source == "scan" else "mri-reconstruction"
    truth = small_torso() if source == "scan" else small_head()
    events, done = run(request_of(system, task), volume, reference=truth)
    steps = [e for e in events if isinstance(e, Progress) and e.residual is not None]
    count = 4 * get_system(system).rounds
    assert [e.step for e in steps] == list(range(1, count + 1))
    assert next(e for e in events if isinstance(e, Started)).steps == count
    assert 0 < steps[-1].residual < 0.3  # of noise through an untrained network: about 1
    assert done.volumes["x0"].same_grid(truth)
    assert done.volumes["x0"].units == truth.units
    assert done.volumes["x0"].measured is None
    assert np.isfinite(done.volumes["x0"].data).all()
    assert done.record["measurement"]["kind"] == volume.measured.kind


@pytest.mark.parametrize("system", ADAPTED)
def test_weights_are_bitwise_the_same_after_the_end_a_cancel_and_an_error(system, scan, monkeypatch):
    loaded = Loaded(monkeypatch)
    run(request_of(system), scan)
    assert loaded.is_restored()
    cancel = threading.Event()
    for event in translate(request_of(system, steps=50), scan, cancel=cancel):
        if isinstance(event, Progress) and event.step == 1:
            cancel.set()
    assert event.cancelled
    assert loaded.is_restored()
    stream = translate(request_of(system, steps=50), scan)
    for event in stream:
        if isinstance(event, Progress) and event.step == 1:
            break
    stream.close()
    assert loaded.is_restored()
    forward, calls = UNet.forward, []

    def breaks(self, *args):
        calls.append(1)
        if len(calls) > 2:
            raise RuntimeError("the kernel failed")
        return forward(self, *args)

    monkeypatch.setattr(UNet, "forward", breaks)
    with pytest.raises(RunError, match="the kernel failed"):
        run(request_of(system), scan)
    assert loaded.is_restored()


@pytest.mark.parametrize("system", ADAPTED)
def test_adaptation_fits_the_measurement_better_than_the_fixed_prior_from_the_same_noise(system, scan):
    taps = []

    class Keep(SnapshotBox):
        def put(self, snapshot):
            taps.append(set(snapshot.taps))

    def loose(name, **options):
        """Leave much of the fit to the weights: one step of conjugate gradients, of ADMM."""
        known = {o.name for o in get_system(name).options}
        few = {"cg_steps": 1, "admm_steps": 1, "spacing": 1.0}
        return request_of(name, steps=6, **{k: v for k, v in few.items() if k in known}, **options)

    adapted = loose(system, compare="fixed", iterations=4, learning_rate=0.01)
    events, done = run(adapted, scan, box=Keep())
    alone = run(loose(get_system(system).twin), scan)[1]
    assert np.array_equal(done.volumes["fixed prior"].data, alone.volumes["x0"].data)
    assert done.metrics["data_residual"] < done.metrics["data_residual_fixed"]
    assert [e.step for e in events if isinstance(e, Progress) and e.what and e.residual is not None] == [
        *range(1, 7)
    ]
    assert any("fixed prior" in names for names in taps)
    fractions = [e.fraction for e in events if isinstance(e, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_cancelled_twin_leaves_the_adapted_result(scan):
    cancel = threading.Event()
    for event in translate(request_of("d3ip", compare="fixed"), scan, cancel=cancel):
        if isinstance(event, Progress) and event.what:
            cancel.set()
    assert event.cancelled
    assert np.array_equal(event.volumes["mean"].data, run(request_of("d3ip"), scan)[1].volumes["mean"].data)


def test_classical_systems_are_the_reconstructions_of_the_library(scan, kspace, coils):
    m = CT.prepare(scan, (1, 1, 1), 1)
    back = filtered_back_projection(m.observed.operator, m.observed.y, "hann")
    assert np.allclose(
        run(request_of("fbp", window="hann"), scan)[1].volumes["x0"].data, 3000 * back - 1000, atol=1e-2
    )
    solver = AdmmTV(0.003, 0.1, steps=7, cg_steps=4)
    tv, _ = solver.solve(m.observed.operator, m.observed.operator.adjoint(m.observed.y), m.plain)
    given = {"tv_weight": 0.003, "tv_penalty": 0.1, "admm_steps": 7, "cg_steps": 4, "nonnegative": "no"}
    found = run(request_of("admm-tv", **given), scan)[1]
    assert np.allclose(found.volumes["x0"].data, 3000 * tv - 1000, atol=0.1)
    bounded = run(request_of("admm-tv", **given | {"nonnegative": "auto"}), scan)[1].volumes["x0"].data
    assert found.volumes["x0"].data.min() < -1005
    assert bounded.min() >= -1000.01
    for source in (kspace, coils):
        m = MRI.prepare(source, (1, 1, 1), 1)
        sense = sense_cg(m.observed.operator, m.observed.y, steps=9, weight=0.01)
        found = run(request_of("sense-cg", "mri-reconstruction", cg_steps=9, weight=0.01), source)[1]
        assert np.allclose(found.volumes["x0"].data, m.physical(sense).numpy(), atol=1e-3)
        plain = run(request_of("zero-filled", "mri-reconstruction"), source)[1]
        assert np.allclose(plain.volumes["x0"].data, source.data, atol=1e-3)


@pytest.mark.parametrize("system", ["dds", "d3ip"])
def test_the_slice_batch_does_not_change_the_volume(system, scan):
    one, other = (
        run(replace(request_of(system), slice_batch=n), scan)[1].volumes["x0"].data for n in (2, 16)
    )
    assert np.abs(one - other).max() <= 1e-4 * np.abs(other).max()


def test_slices_of_any_size_are_padded_for_the_network_and_cut_back():
    class Sums(torch.nn.Module):
        def forward(self, x):
            assert x.shape[-2] % 4 == 0
            assert x.shape[-1] % 4 == 0
            return 2 * x, []

    x = torch.arange(2.0 * 5 * 7).reshape(2, 1, 5, 7)
    assert torch.equal(Padded(Sums(), 4)(x)[0], 2 * x)


def test_the_measurement_is_that_of_the_diffused_variable(scan):
    p, m = problem(scan, "dds")
    truth = torch.from_numpy((small_torso().data + 1000) / 3000) / 0.3
    assert p.sigma == pytest.approx(0.01 * float(p.operator(truth).mean()), rel=1e-4)
    assert float((p.operator(truth) - whole(p.y)).std()) == pytest.approx(p.sigma, rel=0.05)
    assert torch.allclose(p.decode(p.start()), m.plain)


def test_gamma_comes_from_the_noise_where_it_is_known_else_from_the_authors(scan, kspace):
    def gamma(source, task, *, known, **options):
        p = problem(source, "dds", task, **options)[0]
        found = (p if known else replace(p, sigma=None)).proximal()
        assert isinstance(found, Proximal)
        return found.gamma

    assert gamma(scan, CT, known=False) == 0.0
    assert gamma(kspace, MRI, known=False) == 0.2
    assert gamma(kspace, MRI, known=True, gamma=1.5) == 1.5
    p, _ = problem(scan, "dds")
    late = gamma(scan, CT, known=True)
    assert callable(late)
    assert late(1.0) == pytest.approx(p.sigma**2, rel=1e-2)  # nothing is known but the prior's variance, 1
    assert late(0.01) > 10 * late(0.5)  # the less noise is left in x_t, the less y may change


def test_mbir_is_pulled_to_the_prior_for_mri_alone(scan, kspace):
    assert problem(scan, "diffusion-mbir")[0].mbir().gamma == 0.0
    p, _ = problem(kspace, "diffusion-mbir", MRI)
    assert p.mbir().gamma(1.0) == pytest.approx(p.sigma**2, rel=1e-2)
    assert problem(kspace, "diffusion-mbir", MRI, gamma=2.0)[0].mbir().gamma == 2.0


def test_total_variation_is_weighed_in_model_space(scan, kspace):
    solver = problem(scan, "diffusion-mbir", tv_weight=0.06, rms=None)[0].mbir().solver
    assert (solver.weight, solver.penalty) == pytest.approx((0.2, 6.0))
    bright, m = problem(scan, "diffusion-mbir", tv_weight=0.06, rms=2.0)
    assert bright.mbir().solver.weight * m.plain.square().mean().sqrt() / 2 == pytest.approx(0.06)
    found = problem(kspace, "diffusion-mbir", MRI, tv_penalty=0.5, rms=None)[0].mbir().solver
    assert (found.weight, found.penalty) == pytest.approx((reconstruction.TV_ALONG_Z.mri / 0.3, 0.5))


def test_a_prior_has_to_have_the_channels_of_the_image(scan, coils):
    with pytest.raises(BundleError, match=r"tiny-prior-2 is a prior of images with 2 channel\(s\)"):
        run(replace(request_of("dds"), bundle="tiny-prior-2"), scan)
    assert run(request_of("dds", "mri-reconstruction"), coils)[1].record["bundle"]["name"] == "tiny-prior-2"


@pytest.mark.parametrize(
    ("system", "options", "message"),
    [
        ("dds", {"cg_steps": 0}, "cg_steps: found 0, accepted are whole numbers from 1"),
        ("dds", {"rank": 4}, "option: found rank, system dds accepts start, end, spacing, cg_steps, gamma"),
        ("d3ip", {"horizon": 0.5}, "horizon: found 0.5"),
        ("fbp", {"window": "box"}, "window: found 'box', accepted are ramp"),
        ("d3ip-mbir", {"turning": "all"}, "turning: found 'all', accepted are no, random"),
        ("d3ip-mbir", {"rms": 0.0}, "rms: found 0.0, accepted are numbers from 0.01 to 100"),
    ],
)
def test_options_that_are_not_accepted_are_named_before_the_run(system, options, message, scan):
    request = Translation("sparse-view-ct", system, options=options)
    with pytest.raises(SettingsError, match=message):
        run(request, scan)


def test_dps_asks_for_the_noise_of_the_measurement(scan):
    unknown = replace(scan, measured=replace(scan.measured, sigma=None))
    with pytest.raises(SettingsError, match="sigma: found none, dps accepts"):
        run(request_of("dps"), unknown)


def test_systems_that_adapt_have_a_twin_with_the_same_options_but_for_the_adaptation():
    for name in ADAPTED:
        twin = get_system(get_system(name).twin)
        assert {o.name for o in twin.options} <= {o.name for o in get_system(name).options}
