"""The ensemble stage: nothing is trained, models of several bundles are put under one name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.weights import config_from_card
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.training.export import describe
from napari_vol2vol.training.recipe import Recipe

STAGE = "ensemble"


def write_ensemble(
    recipe: Recipe, folder: Path, required: Mapping[str, BundleCard], say: Callable[[str], None]
) -> Path:
    """Write the card of an average of ``recipe.branches``, which holds no weights, and return its folder.

    Parameters
    ----------
    required : mapping of str to BundleCard
        The bundles of the branches, by name.

    Raises
    ------
    SettingsError
        If the recipe names no branches, or they were trained on different diffused variables.
    """
    if not recipe.branches:
        raise SettingsError(f"recipe {recipe.name}: branches: found none, stage {STAGE} accepts one or more")
    first = required[recipe.branches[0][0]]
    other = [card.name for card in required.values() if card.diffusion["scale"] != first.diffusion["scale"]]
    if other:
        raise SettingsError(
            f"recipe {recipe.name}: branches: {', '.join(other)} diffuses at another scale than {first.name}"
        )
    digests = {name: next(iter(card.weights.values())) for name, card in required.items()}
    card = describe(
        recipe, config_from_card(first.network), first.diffusion["scale"], 0, 0.0, digests, (), digest=None
    )
    card["vol2vol"] |= {"diffusion": dict(first.diffusion), "validation": {}}
    card["vol2vol"]["training"] = "Nothing was trained: an average of models of " + ", ".join(required)
    target = folder / recipe.name
    target.mkdir(parents=True, exist_ok=True)
    (target / "metadata.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    say(f"wrote {target}")
    return target
