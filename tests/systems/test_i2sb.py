import dataclasses

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.engine import SnapshotBox, Translation, estimate, translate
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.bridge import bridge_denoiser, make_bridge, ode
from napari_vol2vol.sampling.schedules import timesteps
from napari_vol2vol.systems.assembly import Context
from napari_vol2vol.systems.i2sb import build
from napari_vol2vol.tasks import get_task

CPU = torch.device("cpu")
QUICK = Translation(system="i2sb", steps=3, samples=2, precision="float32")


def run(request, source, **options):
    *_, done = translate(request, source, **options)
    return done


def test_it_starts_from_the_smooth_inverse_and_obeys_the_measurement(low, baselines):
    seen = []

    class Keep(SnapshotBox):
        def put(self, snapshot):
            seen.append(snapshot)

    done = run(QUICK, low, box=Keep())
    base = run(Translation(system="smooth-inverse"), low).volumes["mean"].data
    m = get_task("super-resolution").prepare(low, (4, 4, 4), 4, ("base",))
    assert np.allclose(m.intensity.to_physical(torch.from_numpy(seen[0].taps["x_t"])), base, atol=1e-3)
    assert {"x_t", "axial", "sagittal"} <= set(seen[0].taps)
    assert done.metrics["data_residual"] < 1e-5
    assert done.record["settings"]["solver"] == "i2sb-posterior"


def test_samples_differ_by_seed_and_repeat_with_it(low, baselines):
    first, again = (run(QUICK, low).volumes for _ in range(2))
    assert np.array_equal(first["x0"].data, again["x0"].data)
    assert first["uncertainty"].data.max() > 0
    other = run(dataclasses.replace(QUICK, seed=1), low).volumes
    assert not np.array_equal(first["x0"].data, other["x0"].data)


def test_the_ode_is_run_for_one_sample_and_ignores_the_seed(low, baselines):
    request = dataclasses.replace(QUICK, solver="i2sb-ode")
    first, other = (run(dataclasses.replace(request, seed=s), low) for s in (0, 1))
    assert np.array_equal(first.volumes["mean"].data, other.volumes["mean"].data)
    assert first.record["samples_finished"] == 1
    assert "uncertainty" not in first.volumes


def test_the_assembly_is_the_average_of_its_planes_in_x0_space(low, baselines):
    card = read_card(baselines["i2sb"])
    m = get_task("super-resolution").prepare(low, (4, 4, 4), 4, ("base",))
    network, schedule = load_unet(card, CPU), make_bridge("i2sb")
    with torch.inference_mode():
        parts = [
            bridge_denoiser(network, m.base[None], p, schedule)(m.base, 0.6) for p in ("axial", "sagittal")
        ]
        whole = build(Context(m, card, CPU, consistency=False))
        assert torch.allclose(whole.denoiser(m.base, 0.6), (parts[0] + parts[1]) / 2, atol=1e-6)
        weighted = build(Context(m, card, CPU, consistency=False, weights=(0.25, 0.75)))
        assert torch.allclose(weighted.denoiser(m.base, 0.6), parts[0] / 4 + parts[1] * 3 / 4, atol=1e-6)
        alone = build(Context(m, card, CPU, consistency=False, plane="sagittal"))
        assert torch.allclose(alone.denoiser(m.base, 0.6), parts[1], atol=1e-6)
    assert whole.start is not None
    assert torch.equal(whole.start, m.base)


def test_the_engine_runs_the_ode_of_the_assembly(low, baselines):
    card = read_card(baselines["i2sb"])
    m = get_task("super-resolution").prepare(low, (4, 4, 4), 4, ("base",))
    assembly = build(Context(m, card, CPU))
    with torch.inference_mode():
        *_, last = ode(assembly.denoiser, m.base, timesteps(3), make_bridge("i2sb"), None)
    found = run(dataclasses.replace(QUICK, solver="i2sb-ode"), low).volumes["mean"].data
    assert np.allclose(found, m.physical(last.x0_hat).numpy(), atol=1e-3)


@pytest.mark.parametrize("slice_batch", [4, 40])
def test_the_slice_batch_does_not_change_the_volume(slice_batch, low, baselines):
    reference = run(dataclasses.replace(QUICK, samples=1), low).volumes["x0"].data
    other = run(dataclasses.replace(QUICK, samples=1, slice_batch=slice_batch), low).volumes["x0"].data
    assert np.abs(other - reference).max() <= 1e-5 * np.abs(reference).max()


def test_a_modality_is_the_start_where_nothing_was_measured(head, baselines, tmp_path):
    from systems.baseline_bundles import make_baselines

    folder = make_baselines(
        tmp_path, task="modality-translation", inputs=("T1w",), target="FLAIR", factor=(1, 1, 1)
    )["i2sb"]
    card = read_card(folder)
    m = get_task("modality-translation").prepare(head, (1, 1, 1), 4, card.inputs)
    assert torch.equal(build(Context(m, card, CPU)).start, m.plain)
    request = dataclasses.replace(QUICK, task="modality-translation", bundle=str(folder), samples=1)
    done = run(request, head)
    assert done.volumes["mean"].modality == "FLAIR"
    assert done.volumes["mean"].same_grid(head)


def test_a_solver_or_plane_that_does_not_fit_is_refused_before_the_run(low, baselines):
    with pytest.raises(SettingsError, match="system i2sb accepts auto, i2sb-posterior, i2sb-ode"):
        estimate(dataclasses.replace(QUICK, solver="ddim"), low)
    with pytest.raises(SettingsError, match="plane: found 'coronal', bundle sr4-t1-i2sb has axial, sagittal"):
        run(dataclasses.replace(QUICK, plane="coronal"), low)
