import pytest

from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.training.run import train

STAGES = ("planes", "fusion", "regression")


@pytest.fixture(scope="session")
def dry_runs(tmp_path_factory):
    """Dry runs of every shipped recipe, side by side as `vol2vol train --dry-run` leaves them."""
    root = tmp_path_factory.mktemp("dry-run")
    for stage in STAGES:
        recipe = load_recipe(f"sr4-t1-{stage}")
        train(recipe.dry(), root / recipe.name)
    return root
