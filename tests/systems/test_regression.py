import dataclasses

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.weights import config_from_card, load_monai_unet, load_unet
from napari_vol2vol.engine import Translation, estimate, translate
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.sampling.planes import apply_plane
from napari_vol2vol.systems.assembly import Context
from napari_vol2vol.systems.regression import build, from_volume
from napari_vol2vol.tasks import get_task

CPU = torch.device("cpu")
SYSTEMS = ("unet", "pix2pix", "pix2pix-3d")
SCALE = 0.2


def run(request, source):
    *_, done = translate(request, source)
    return done


@pytest.fixture(scope="module")
def measurement(low):
    return get_task("super-resolution").prepare(low, (4, 4, 4), 4, ("base",))


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_answers_in_one_call_the_same_for_every_seed_and_obeys_the_measurement(system, low, baselines):
    request = Translation(system=system, samples=3, steps=9, precision="float32")
    first, other = (run(dataclasses.replace(request, seed=s), low) for s in (0, 1))
    assert np.array_equal(first.volumes["mean"].data, other.volumes["mean"].data)
    assert first.record["samples_finished"] == 1
    assert first.metrics["data_residual"] < 1e-5
    assert first.volumes["mean"].shape == tuple(4 * n for n in low.shape)
    free = run(dataclasses.replace(request, consistency=False), low)
    assert free.metrics["data_residual"] > 1e-4


def test_the_2d_system_is_the_average_of_its_planes_added_to_the_base(measurement, baselines):
    card = read_card(baselines["unet"])
    network, base = load_monai_unet(card, CPU), measurement.base

    def answer(**options):
        return build(Context(measurement, card, CPU, consistency=False, **options)).denoiser(base, 0.0)

    with torch.inference_mode():
        parts = [
            base + SCALE * apply_plane(network, base[None], 0.0, p, slice_batch=64).prediction
            for p in ("axial", "sagittal")
        ]
        assert not torch.allclose(parts[0], parts[1], atol=1e-2)
        assert torch.allclose(answer(), (parts[0] + parts[1]) / 2, atol=1e-5)
        assert torch.allclose(answer(weights=(1.0, 0.0)), parts[0], atol=1e-5)
        assert torch.allclose(answer(plane="sagittal"), parts[1], atol=1e-5)
        assert torch.allclose(answer(slice_batch=5), answer(slice_batch=64), atol=1e-5)


def test_the_3d_system_sees_the_volume_or_slabs_of_it(measurement, baselines):
    card = read_card(baselines["pix2pix-3d"])
    network, base = load_monai_unet(card, CPU), measurement.base
    with torch.inference_mode():
        expected = base + SCALE * network(base[None, None])[0][0, 0]
        found = build(Context(measurement, card, CPU, consistency=False)).denoiser(base, 0.0)
        assert torch.allclose(found, expected, atol=1e-5)
        slabs = from_volume(network, base[None], multiple=2, slab=16)
    assert slabs.shape == base.shape
    assert torch.corrcoef(torch.stack([slabs.flatten(), ((expected - base) / SCALE).flatten()]))[0, 1] > 0.95


@pytest.mark.parametrize("system", SYSTEMS)
def test_odd_sizes_are_padded_to_the_multiple_of_the_network_and_cut_back(system, head, baselines):
    low = get_task("super-resolution").degrade(head)
    odd = low.with_data(low.data[:5, :7, :3], affine=low.affine)
    done = run(Translation(system=system, precision="float32"), odd)
    assert done.volumes["mean"].shape == (20, 28, 12)
    assert np.isfinite(done.volumes["mean"].data).all()


def test_the_memory_of_a_monai_network_is_estimated_without_its_weights(low, baselines):
    needed = {system: estimate(Translation(system=system), low).memory_bytes for system in SYSTEMS}
    plain = estimate(Translation(system="trilinear"), low).memory_bytes
    assert all(value > plain for value in needed.values())


def test_a_card_says_which_family_its_network_is_of(baselines, tiny_bundle_folder):
    card = read_card(baselines["unet"])
    assert card.network["family"] == "monai-unet"
    assert config_from_card(card.network).multiple == 2
    with pytest.raises(BundleError, match="sr4-t1-unet: found a network of family 'monai-unet'"):
        load_unet(card, CPU)
    with pytest.raises(BundleError, match="sr4-t1-planes: found a network of family 'unet'"):
        load_monai_unet(read_card(tiny_bundle_folder / "sr4-t1-planes"), CPU)
    with pytest.raises(BundleError, match="network family: found 'magic', accepted are unet, monai-unet"):
        config_from_card({"family": "magic"})


def test_the_weights_come_back_from_half_precision(baselines):
    network = load_monai_unet(read_card(baselines["pix2pix-3d"]), CPU)
    assert not network.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())


def test_a_plane_the_bundle_does_not_have_is_named(low, baselines):
    with pytest.raises(SettingsError, match="plane: found 'coronal', bundle sr4-t1-unet has axial, sagittal"):
        run(Translation(system="unet", plane="coronal"), low)


@pytest.mark.parametrize("system", ["i2sb", *SYSTEMS])
def test_without_a_bundle_the_error_says_so(system, low, monkeypatch):
    monkeypatch.setattr("napari_vol2vol.bundles.library.bundle_folders", list)
    with pytest.raises(BundleError, match=f"no bundle for task 'super-resolution' and system '{system}'"):
        estimate(Translation(system=system), low)
