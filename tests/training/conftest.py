import pytest

from napari_vol2vol.training.recipe import load_recipe, shipped_recipes
from napari_vol2vol.training.run import train

SHIPPED = shipped_recipes()


def builds_on(recipe):
    return {name for name, _ in recipe.branches} | ({recipe.plane_recipe, recipe.start} - {None})


def in_order():
    """Every shipped recipe after those whose bundles it needs."""
    left, done = {name: load_recipe(name) for name in SHIPPED}, []
    while left:
        ready = [name for name, recipe in left.items() if builds_on(recipe) <= set(done)]
        assert ready, f"{list(left)} need bundles that no recipe makes"
        done += ready
        for name in ready:
            yield left.pop(name)


@pytest.fixture(scope="session")
def dry_runs(tmp_path_factory):
    """Dry runs of every shipped recipe, side by side as `vol2vol train --dry-run` leaves them."""
    root = tmp_path_factory.mktemp("dry-run")
    for recipe in in_order():
        train(recipe.dry(), root / recipe.name)
    return root
