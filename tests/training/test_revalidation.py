import pytest

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.training import revalidation, validation
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.training.revalidation import revalidate


@pytest.mark.parametrize("name", ["sr4-t1-planes", "sr4-t1-fusion", "sr4-t1-regression", "sr4-t1-unet"])
def test_a_bundle_is_validated_again_on_the_head_of_its_recipe(dry_runs, monkeypatch, name):
    """Untrained networks answer with the smooth inverse or with noise: never better than the truth allows."""
    monkeypatch.setattr(validation, "BLOCK", 32)
    monkeypatch.setattr(revalidation, "load_recipe", lambda name: load_recipe(name).dry())
    figures = revalidate(read_card(dry_runs / name / name))
    assert set(figures) == {"psnr", "plain", "smooth"}
    assert figures["smooth"] > figures["plain"] > 10
    assert figures["psnr"] < figures["smooth"] + 1
    assert revalidate(read_card(dry_runs / name / name)) == figures


def test_a_held_out_volume_that_is_missing_is_named(dry_runs, tmp_path):
    card = read_card(dry_runs / "sr4-t1-planes" / "sr4-t1-planes")
    with pytest.raises(SettingsError, match="icbm152-t1 not found"):
        revalidate(card, tmp_path)
