"""The bundle that judges: a network that segments regions of procedural heads."""

from __future__ import annotations

from pathlib import Path

from napari_vol2vol.bundles.card import BundleCard, read_card
from napari_vol2vol.bundles.library import list_bundles
from napari_vol2vol.errors import BundleError
from napari_vol2vol.phantoms.brain import REGIONS
from napari_vol2vol.tasks.segmentation import NAME as TASK

#: The recipe, and so the bundle, that is taken where the user names none.
DEFAULT = "brain-regions"


def find_segmentation(name_or_path: str | Path | None = None) -> BundleCard:
    """Return the card of a segmentation bundle by name or folder, by default that of recipe brain-regions.

    Raises
    ------
    BundleError
        If it is not there or does not segment; the message says what there is, and which recipe makes one.
    """
    name = str(name_or_path or DEFAULT)
    if (Path(name) / "metadata.json").is_file():
        card = read_card(Path(name))
    else:
        installed = {card.name: card for card in list_bundles(TASK)}
        if name not in installed:
            raise BundleError(
                f"segmentation bundle: found {name!r}, installed are {', '.join(installed) or 'none'} (or "
                f"give a bundle's folder); `vol2vol train {DEFAULT}` makes the default one: put the folder "
                f"runs/{DEFAULT} into VOL2VOL_BUNDLES"
            )
        card = installed[name]
    if card.task != TASK:
        raise BundleError(f"segmentation bundle: {card.name} serves task {card.task}, accepted is {TASK}")
    return card


def check_regions(card: BundleCard) -> tuple[str, ...]:
    """Return the regions that a bundle tells apart, the background first.

    Raises
    ------
    BundleError
        If one is not among those whose truth a procedural head knows.
    """
    regions = tuple(card.network.get("regions", ()))
    if not regions or regions[0] != REGIONS[0] or not set(regions) <= set(REGIONS):
        raise BundleError(
            f"bundle {card.name}: network regions: found {', '.join(regions) or 'none'}, accepted are "
            f"{REGIONS[0]} and then any of {', '.join(REGIONS[1:])}"
        )
    return regions
