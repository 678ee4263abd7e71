"""Contrast removal and addition: CT of one patient with and without contrast medium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.grid import Grid
from napari_vol2vol.tasks.conditions import pick, refuse_raw
from napari_vol2vol.tasks.super_resolution import NONE
from napari_vol2vol.volume import Volume, pad_to_multiple

if TYPE_CHECKING:
    from torch import Tensor

    from napari_vol2vol.sampling.measurement import Measurement

Factor = tuple[int, int, int]
#: What the networks see, in HU (Medical Flow Matching, B.3); beyond it see `PUT_BACK_HU`.
RANGE_HU = (-1000.0, 1000.0)
#: Of what a source has above `RANGE_HU`, nothing is put back where the result is below the first value, all
#: of it above the second, in HU: metal and enamel stay, dense medium that was removed does not return.
PUT_BACK_HU = (500.0, 900.0)
CT = "CT"


@dataclass
class ContrastChange:
    """The result lies on the grid of the source, in HU; ``target`` says which phase it shows."""

    name: str
    title: str
    target: str
    default_factor: Factor = (1, 1, 1)
    simulates: bool = False
    shares_window: bool = True
    accepts_raw: bool = False
    simulation: type | None = None
    loading: type | None = None
    systems: tuple[str, ...] = ("mfm", "mfm-planes", "mfm-fusion", "ct-regression", "ddpm-ct", "identity")

    def degrade(self, volume: Volume, factor: Factor = (1, 1, 1), /) -> Volume:
        """Refuse: a CT of the other phase cannot be computed.

        Raises
        ------
        SettingsError
            Always.
        """
        raise SettingsError(
            f"task {self.name}: an input cannot be computed from the result; load the CT of the other phase, "
            "and give this one as reference"
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
        """Return the CT clipped to `RANGE_HU`, mapped to [-1, 1] and edge-padded.

        Raises
        ------
        VolumeError
            If the volume cannot be CT: no air and no fat, or values beyond any HU.
        """
        from napari_vol2vol.sampling.measurement import IntensityMap, Measurement

        _check_hounsfield(source)
        padded, crop = pad_to_multiple(source.data, multiple, minimum=multiple)
        intensity = IntensityMap(RANGE_HU[0], RANGE_HU[1] - RANGE_HU[0])
        model = intensity.to_model(_tensor(np.clip(padded, *RANGE_HU, out=padded)))
        pick(inputs, {**conditions, source.modality or CT: source}, source, takes_any=True)
        return Measurement({CT: model}, model, intensity, crop)

    def finish(
        self, data: NDArray[np.float32], source: Volume, factor: Factor, name: str, target: str
    ) -> Volume:
        """Return the result in HU.

        What the source has beyond `RANGE_HU` (metal, enamel, padding) is put back, but for what lies above it
        where the result says that it was contrast medium (`PUT_BACK_HU`).
        """
        from dataclasses import replace

        low, high = PUT_BACK_HU
        above = np.maximum(source.data - RANGE_HU[1], 0) * np.clip((data - low) / (high - low), 0, 1)
        result = np.asarray(data + np.minimum(source.data - RANGE_HU[0], 0) + above, np.float32)
        return replace(source.with_data(result, name=name, units="HU"), modality=CT)

    def remarks(self, source: Volume) -> list[str]:
        """Return a sentence where the source looks as if it were in the phase of the result already."""
        from napari_vol2vol.tasks.contrast_phase import guess_phase

        phase = guess_phase(source)
        if phase.enhanced == (self.target == "arterial"):
            return [f"{source.name} looks {phase.words}; {self.title.lower()} expects the other phase"]
        return []

    def load(self, path: Path, how: None = None, /) -> Volume:
        """Refuse: the task starts from volumes; see `conditions.refuse_raw`."""
        raise refuse_raw(self.name, path)

    def pictures(self, source: Volume) -> dict[str, Volume]:
        """Return nothing: the source shows all there is."""
        return {}

    def match(self, reference: Volume) -> Volume:
        """Return the reference as it is: HU."""
        return reference


def _tensor(array: NDArray[np.float32]) -> Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


def _check_hounsfield(volume: Volume) -> None:
    low, high = float(volume.data.min()), float(volume.data.max())
    if low > -50 or high < 0 or low < -10_000:
        raise VolumeError(
            f"{volume.name}: found values from {low:g} to {high:g}, accepted is CT in Hounsfield units "
            "(air near -1000)"
        )


REMOVAL = ContrastChange("contrast-removal", "Contrast removal (CT)", "native")
ADDITION = ContrastChange("contrast-addition", "Contrast addition (CT)", "arterial")
