"""The stages over pairs of CT that are no flow: regression and diffusion (`test_flow` has the flow)."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles import verify_bundle
from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.weights import load_velocity
from napari_vol2vol.engine import Translation, translate
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.time_monai import TimeMonai
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.training.contrast import train_contrast
from napari_vol2vol.training.contrast_losses import diffusion_loss, regression_loss
from napari_vol2vol.training.contrast_validation import ContrastValidation, few_steps_of_ddim, one_call
from napari_vol2vol.training.flow_pool import TorsoPool
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.training.run import train
from napari_vol2vol.volume import Volume

SPACING = (4.0, 3.0, 3.0)
REGRESSION, DDPM = "ct-contrast-regression", "ct-contrast-ddpm"
SHIFT = 0.25


class Constant(torch.nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x, t, label=None):
        return torch.full_like(x[:, :1], self.value), []


@lru_cache
def shifted_pool():
    """A patient whose phases differ by a shift alone."""
    recipe = load_recipe(REGRESSION).dry()
    pool = TorsoPool(recipe.pool, recipe.seed)
    pool.entries = [replace(e, contrast=e.native + SHIFT) for e in pool.entries]
    return pool


@lru_cache
def pair():
    return make_torso_pair(8, (9, 40, 40), SPACING, breathing_mm=0.0)


@pytest.mark.parametrize(
    ("target", "right"), [("native", SHIFT), ("arterial", -SHIFT)], ids=["removal", "addition"]
)
def test_the_loss_of_the_true_change_is_zero_in_both_directions(target, right):
    recipe = replace(load_recipe(REGRESSION).dry(), target=target)
    loss = regression_loss(shifted_pool(), recipe)
    assert float(loss(Constant(right), 0)) == pytest.approx(0, abs=1e-6)
    assert float(loss(Constant(0.0), 0)) == pytest.approx(SHIFT, abs=1e-6)  # the mean absolute error


def test_the_diffusion_sees_the_noisy_result_and_the_source():
    recipe = replace(load_recipe(DDPM).dry(), diffusion=replace(load_recipe(DDPM).diffusion, prediction="x0"))
    seen = {}

    class Oracle(torch.nn.Module):
        def forward(self, x, t, label):
            seen["t"], seen["label"] = t, label
            return x[:, 1:] - SHIFT, []  # the condition is the contrast scan

    diffused = Diffused("image", 1.0, "x0", "vp_linear")
    loss = diffusion_loss(shifted_pool(), recipe, diffused)(Oracle(), 0)
    assert float(loss) == pytest.approx(0, abs=1e-4)
    assert seen["label"].tolist() == [0] * recipe.batch
    assert 0 <= float(seen["t"].min()) < float(seen["t"].max()) <= 1


def test_validation_of_a_regression_that_changes_nothing_is_the_error_of_the_source():
    there = ContrastValidation(one_call(), held_out=pair())(Constant(0.0))
    back = ContrastValidation(one_call(), "arterial", held_out=pair())(Constant(0.0))
    assert there["mae hu"] == pytest.approx(there["source mae hu"])
    assert there == pytest.approx(back)
    brighter = ContrastValidation(one_call(), held_out=pair())(Constant(0.1))
    assert brighter["mae hu"] != pytest.approx(there["mae hu"], abs=1)


def test_validation_of_a_diffusion_ends_at_what_its_network_believes():
    class Answers(torch.nn.Module):
        def forward(self, x, t, label):
            return x[:, 1:] + 0.1, []

    diffused = Diffused("image", 1.0, "x0", "vp_linear")
    source = torch.rand(3, 8, 8) - 0.5
    found = few_steps_of_ddim(diffused)(Answers(), source)
    torch.testing.assert_close(found, source + 0.1, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "system"), [(REGRESSION, "ct-regression"), (DDPM, "ddpm-ct")])
def test_the_bundle_of_a_dry_run_removes_contrast_from_odd_sizes(name, system, dry_runs):
    card = read_card(dry_runs / name / name)
    verify_bundle(card)
    assert (card.task, card.target, card.inputs, card.modality) == (
        "contrast-removal", "native", ("CT",), ("CT",),
    )  # fmt: skip
    assert "Procedural patients alone" in card.training
    assert not (card.path.parent / f"{name}-reversed").exists()
    scan = make_torso_pair(8, (9, 30, 34), SPACING).contrast
    source = Volume.from_array(scan, SPACING, modality="CT", units="HU", name="scan")
    request = Translation(
        card.task, system, bundle=str(card.path), steps=2, samples=1, precision="float32", device="cpu"
    )
    *_, done = translate(request, source)
    assert done.volumes["mean"].shape == source.shape
    assert np.isfinite(done.volumes["mean"].data).all()


def test_another_network_of_a_recipe_comes_back_from_its_bundle(tmp_path):
    recipe = replace(
        load_recipe(REGRESSION).dry(), network="unet", task="contrast-addition", target="arterial"
    )
    card = read_card(train(recipe, tmp_path / recipe.name))
    network = load_velocity(card, torch.device("cpu"))
    assert isinstance(network, TimeMonai)
    assert (network.config.kind, card.network["family"], card.target) == ("unet", "time-monai", "arterial")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validate": ("torso-3",)}, "it needs pairs of one patient"),
        (
            {"target": "arterial"},
            "found contrast-removal to arterial, stage ct-regression accepts contrast-re",
        ),
        ({"network": "umamba"}, "network: found 'umamba', which is missing here"),
        (
            {"stage": "flow", "task": "contrast-addition", "target": "arterial"},
            "stage flow accepts contrast-removal to native",
        ),
        (
            {"stage": "ct-diffusion", "diffusion": {}},
            "diffusion: what: found 'residual', stage .* accepts image",
        ),
    ],
)
def test_recipes_that_cannot_be_trained_are_refused(changes, message, tmp_path):
    recipe = load_recipe(REGRESSION).dry()
    if "diffusion" in changes:
        changes = {**changes, "diffusion": replace(recipe.diffusion, what="residual")}
    with pytest.raises(SettingsError, match=message):
        train_contrast(replace(recipe, **changes), tmp_path)


def test_a_network_is_named_only_where_there_is_a_choice(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nstage: planes\nsystems: [tpdm]\nnetwork: unet\n")
    with pytest.raises(SettingsError, match="recipe network: found 'unet', stage planes accepts none"):
        load_recipe(path)
