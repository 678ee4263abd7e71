"""What a procedural head knows of a case: its regions, and the modalities that a segmentation wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.cases import Case
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.suite_entries import CONTRASTS, Phantom
from napari_vol2vol.phantoms.brain import REGIONS, label_map, make_anatomy, paint
from napari_vol2vol.volume import Volume


@dataclass(frozen=True, eq=False)
class Truth:
    """``volumes`` by modality on the grid of the case's reference, which is one of them.

    ``labels`` (z, y, x) are indices of `phantoms.brain.REGIONS`.
    """

    volumes: Mapping[str, Volume]
    labels: NDArray[np.uint8]

    def mask(self, regions: Sequence[str]) -> NDArray[np.bool_]:
        """Return where any of the named regions is."""
        return np.isin(self.labels, [REGIONS.index(name) for name in regions])


def check_truths(suite: Suite, inputs: Sequence[str]) -> None:
    """Refuse, before anything is run, a suite whose truth is not known or that the bundle cannot judge.

    Parameters
    ----------
    inputs : sequence of str
        The modalities that the segmentation takes.

    Raises
    ------
    SettingsError
        If a volume is no procedural head, the target is none of the inputs, or an input is not painted.
    """
    if files := [entry.name for entry in suite.volumes if entry.phantom is None]:
        raise SettingsError(
            f"suite {suite.name}: volumes: found {', '.join(files)} without labels, accepted are procedural "
            "heads (phantom: ...), whose regions are known"
        )
    if suite.target not in inputs:
        raise SettingsError(
            f"suite {suite.name}: target: found {suite.target}, the segmentation bundle accepts "
            f"{', '.join(inputs)}; give one that takes {suite.target} (--bundle)"
        )
    if unknown := [name for name in inputs if name not in CONTRASTS]:
        raise SettingsError(
            f"segmentation bundle: inputs: found {', '.join(unknown)}, procedural heads accept "
            f"{', '.join(CONTRASTS)}"
        )


def truths_of(suite: Suite, cases: Sequence[Case], inputs: Sequence[str]) -> Iterator[Truth]:
    """Yield the truth of each case, in their order; `check_truths` says what it takes."""
    phantoms = {entry.name: entry.phantom for entry in suite.volumes}
    for case in cases:
        phantom = phantoms[case.name]
        if phantom is None:
            raise SettingsError(f"volume {case.name}: found no phantom, accepted are procedural heads")
        yield _truth(suite.target, phantom, case, inputs)


def _truth(target: str, phantom: Phantom, case: Case, inputs: Sequence[str]) -> Truth:
    anatomy = make_anatomy(phantom.seed, phantom.shape, lesion=phantom.lesion)
    reference = replace(case.reference, modality=target)
    volumes = {target: reference}
    for name in inputs:
        if name != target:
            whole = Volume.from_array(paint(anatomy, name, phantom.seed), modality=name, name=name)  # type: ignore[arg-type]
            volumes[name] = cut_to(whole, reference)
    labels = Volume.from_array(label_map(anatomy).astype(np.float32), name=f"regions of {case.name}")
    return Truth(volumes, cut_to(labels, reference).data.astype(np.uint8))


def cut_to(whole: Volume, block: Volume) -> Volume:
    """Return the voxels of ``whole`` that lie on the grid of ``block``, which was cut from its grid.

    Raises
    ------
    SettingsError
        If the block's voxels are none of the whole volume's.
    """
    first = np.linalg.solve(whole.affine, block.affine[:, 3])[:3][::-1]
    start = np.rint(first).astype(int)
    where = tuple(slice(s, s + n) for s, n in zip(start, block.shape, strict=True))
    data = whole.data[where] if (start >= 0).all() else whole.data[:0]
    if data.shape != block.shape or not np.allclose(first, start, atol=1e-3):
        raise SettingsError(
            f"{whole.name}: found {whole.shape} voxels, accepted is a volume that {block.name} was cut from"
        )
    return whole.with_data(data, affine=block.affine)
