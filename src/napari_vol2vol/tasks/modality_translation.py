"""Modality translation: from one or several contrasts to another one of the same patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.grid import Grid
from napari_vol2vol.tasks.conditions import in_model_space, intensity_of, pick, refuse_raw
from napari_vol2vol.tasks.super_resolution import NONE
from napari_vol2vol.volume import Volume, pad_to_multiple

if TYPE_CHECKING:
    from napari_vol2vol.sampling.measurement import Measurement

Factor = tuple[int, int, int]
#: A translated contrast has no physical unit: this value is its 99.5th percentile.
TOP = 1000.0


#: Systems whose model knows the target alone: any source will do.
ZERO_SHOT = ("midiffusion", "sdedit-planes", "sdedit")


def paired_inputs() -> tuple[str, ...]:
    """Return the source modalities of the installed bundles that were trained on pairs."""
    from napari_vol2vol.bundles.library import list_bundles

    cards = list_bundles(ModalityTranslation.name)
    return tuple(dict.fromkeys(name for card in cards for name in card.inputs))


class ModalityTranslation:
    """The result lies on the grid of the source, in units where 1000 is the 99.5th percentile of a head."""

    name = "modality-translation"
    title = "Modality translation"
    default_factor: Factor = (1, 1, 1)
    simulates = False
    shares_window = False
    accepts_raw = False
    simulation: type | None = None
    loading: type | None = None
    # averages come first: with the bundles that ship, the fusion lies below them (docs/comparison.md)
    systems: tuple[str, ...] = (
        "tosm", "tpdm", "score-fusion", "score-fusion-tosm", "score-fusion-madm", "score-fusion-small",
        "diff-ensembler", "madm", "palette", "palette-2.5d", "palette-3d", "i2sb", "unet", "unet-3d",
        "pix2pix", "pix2pix-3d", "cyclegan", *ZERO_SHOT, "identity",
    )  # fmt: skip

    def degrade(self, volume: Volume, factor: Factor = (1, 1, 1), /) -> Volume:
        """Refuse: no contrast can be computed from another.

        Raises
        ------
        SettingsError
            Always.
        """
        raise SettingsError(
            "task modality-translation: an input cannot be computed from the result; load the volume of the "
            "source modality, and give the target modality as reference"
        )

    def grid(self, source: Volume, factor: Factor) -> Grid:
        """Return the grid of the result: that of the source."""
        return source.grid

    def prepare(
        self,
        source: Volume,
        factor: Factor,
        multiple: int,
        inputs: Sequence[str] = (),
        conditions: Mapping[str, Volume] = NONE,
    ) -> Measurement:
        """Return the conditions in model space: 0 and the 99.5th percentile of each become -1 and 1.

        ``inputs`` names modalities in the channel order of the networks; the source is one of them, the
        others come from ``conditions``. A single input takes the source whatever its modality.

        Raises
        ------
        VolumeError
            If an input is missing, constant, or lies on another grid than the source.
        """
        from napari_vol2vol.sampling.measurement import IntensityMap, Measurement

        padded, crop = pad_to_multiple(source.data, multiple, minimum=multiple)
        padding = [(s.start, n - s.stop) for s, n in zip(crop, padded.shape, strict=True)]
        given = {**conditions, source.modality or "unknown": source}
        wanted = pick(inputs, given, source, takes_any=True)
        intensity_of(source)
        return Measurement(
            {name: in_model_space(volume, padding) for name, volume in wanted.items()},
            in_model_space(source, padding),
            IntensityMap(0.0, TOP),
            crop,
        )

    def finish(
        self, data: NDArray[np.float32], source: Volume, factor: Factor, name: str, target: str
    ) -> Volume:
        """Return the result as a volume of the target modality on the grid of the source."""
        from dataclasses import replace

        return replace(source.with_data(data, name=name, units="a.u."), modality=target or None)

    def remarks(self, source: Volume) -> list[str]:
        """Return a sentence where no installed bundle was trained on pairs with the source's modality."""
        if source.modality is None or not (known := paired_inputs()) or source.modality in known:
            return []
        return [
            f"no installed bundle was trained on pairs with {source.modality} (but with {', '.join(known)}); "
            f"{', '.join(ZERO_SHOT)} are zero-shot: their model has never seen this modality"
        ]

    def load(self, path: Path, how: None = None, /) -> Volume:
        """Refuse: the task starts from volumes; see `conditions.refuse_raw`."""
        raise refuse_raw(self.name, path)

    def pictures(self, source: Volume) -> dict[str, Volume]:
        """Return nothing: the source shows all there is."""
        return {}

    def match(self, reference: Volume) -> Volume:
        """Return the reference scaled so that its own 99.5th percentile is 1000, as the result's is."""
        scale = TOP / intensity_of(reference).scale
        return reference.with_data(reference.data * np.float32(scale))
