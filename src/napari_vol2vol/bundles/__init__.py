"""Find, verify and load trained weights; nothing here touches the network."""

from napari_vol2vol.bundles.card import BundleCard, check_fit
from napari_vol2vol.bundles.library import find_bundle, list_bundles, verify_bundle

__all__ = ["BundleCard", "check_fit", "find_bundle", "list_bundles", "verify_bundle"]
