"""Where a run was put together from slabs, from its record: nobody else knows."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, lcm
from typing import Any

from napari_vol2vol.errors import BundleError

#: Least input voxels of an axis in super-resolution, as in `tasks.super_resolution`.
MIN_CELLS = 4


def seams_of(record: Mapping[str, Any], depth: int) -> list[tuple[int, int]]:
    """Return (axis, first slice) of every slab but the first in a result of ``depth`` axial slices.

    `sampling.slabs.in_slabs` cuts the padded grid from its first slice on, so the margin in front is taken
    off. A run in one piece has none.

    Raises
    ------
    BundleError
        If the bundle of the run is not installed: its network says what slabs were rounded to.
    """
    slab = (record.get("memory_plan") or {}).get("slab")
    if not slab:
        return []
    multiple = _multiple(record)
    slab = max(multiple, slab - slab % multiple)
    source = ((record.get("inputs") or [{}])[0].get("shape_zyx") or [depth])[0]
    block = max(1, round(depth / source))
    cells = lcm(multiple, block) // block
    least = max(MIN_CELLS if block > 1 else 1, cells)
    padded = ceil(max(source, least) / cells) * cells
    margin = (padded - source) // 2 * block
    starts = (start - margin for start in range(slab, padded * block, slab))
    return [(0, start) for start in starts if 0 < start < depth]


def _multiple(record: Mapping[str, Any]) -> int:
    from napari_vol2vol.bundles.library import list_bundles, required_bundles
    from napari_vol2vol.bundles.weights import config_from_card

    name = (record.get("bundle") or {}).get("name")
    card = next((c for c in list_bundles() if c.name == name), None)
    if card is None:
        raise BundleError(f"bundle {name}: is not installed, so the seams of its slabs are not known")
    cards = [card, *required_bundles(card).values()]
    networks = [int(config_from_card(c.network).multiple) for c in cards]
    return max([*networks, *(int(s) for s in card.network.get("feature_scales", ()))])
