"""Torsos whose organs have the shapes of a patient: from a map of organs, moved and bent, seeded.

A map says what every voxel of one patient is, in the numbers of TotalSegmentator's first 117 structures
(Wasserthal et al. 2023). What it leaves out (fat, the muscles between the ribs, discs, the vessels of the
lungs, cortex and marrow) is drawn here. Values in HU are those of `phantoms.torso_ct`; no scan is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.phantoms.brain import rotation_matrix
from napari_vol2vol.phantoms.torso import INDEX, Mask, Torso
from napari_vol2vol.phantoms.torso_shapes import FloatArray, smooth_field

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]
#: The numbers of a map by what they become; `BONES` and kidneys, heart and bowel are divided further.
ORGANS: dict[str, tuple[int, ...]] = {
    "spleen": (1,), "kidney medulla": (2, 3), "gallbladder": (4, 21, 23, 24), "liver": (5,), "stomach": (6,),
    "pancreas": (7, 8, 9), "lung": (10, 11, 12, 13, 14), "bowel gas": (16,), "bowel": (18, 19, 20),
    "muscle": (15, 17, 22, 79, *range(80, 91)), "heart muscle": (51,), "aorta": (52,), "disc": (117,),
    "artery": (54, 55, 56, 57, 58, 65, 66), "vein": (63, 67, 68), "upper vena cava": (59, 60, 62),
    "portal vein": (64,), "heart chamber": (61,), "pulmonary vessel": (53,),
}  # fmt: skip
SPINE = tuple(range(25, 51))
BONES = (*SPINE, *range(69, 79), *range(91, 117))
BODY, COLON = 120, 20


@dataclass(frozen=True)
class OrganMap:
    """What the voxels `(z, y, x)` of a patient are (0: not the patient), z up, y forwards, x to the right."""

    labels: NDArray[np.uint8]
    spacing_mm: Spacing

    def __post_init__(self) -> None:
        known = {0, BODY, *BONES, *(n for numbers in ORGANS.values() for n in numbers)}
        if unknown := sorted(set(np.unique(self.labels).tolist()) - known):
            raise VolumeError(
                f"map of organs: found the labels {', '.join(map(str, unknown))}, accepted are "
                f"TotalSegmentator's 1 to 117, {BODY} for the rest of the body and 0"
            )


def torso_of(organs: OrganMap, seed: int, shape: Shape, spacing_mm: Spacing) -> Torso:
    """Return a part of a patient of this map, as large as the grid, turned, stretched and bent by ``seed``.

    Its middle lies anywhere above the pelvis, not far from the middle of the axial slice along y.
    """
    rng = np.random.default_rng([seed, 53])
    found = _resampled(rng, organs, shape, spacing_mm)
    labels = np.zeros(shape, np.uint8)
    for name, numbers in ORGANS.items():
        labels[np.isin(found, numbers)] = INDEX[name]
    _wall(rng, labels, found, spacing_mm)
    _bowel(rng, labels, found, spacing_mm)
    _kidneys(rng, labels, spacing_mm)
    _heart(rng, labels, spacing_mm)
    _bones(rng, labels, found, spacing_mm)
    _small_vessels(rng, labels, spacing_mm)
    _table(rng, labels, spacing_mm)
    return Torso(labels, spacing_mm)


def _resampled(
    rng: np.random.Generator, organs: OrganMap, shape: Shape, spacing: Spacing
) -> NDArray[np.uint8]:
    size = np.array(organs.labels.shape) * organs.spacing_mm
    spread = (size - np.array(shape) * spacing).clip(0) / 2
    middle = size / 2 + rng.uniform((-0.6, -0.5, -1), (1, 0.5, 1)) * spread
    turned = rotation_matrix(rng.normal(0, 0.07, 3)) * np.exp(rng.normal(0, 0.06, 3))
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    where = np.tensordot(turned.astype(np.float32), grid, 1)
    for axis in range(3):
        where[axis] += middle[axis] + 4 * smooth_field(rng, shape, spacing, 80.0)
        where[axis] /= organs.spacing_mm[axis]
    return np.asarray(ndimage.map_coordinates(organs.labels, where, order=0, mode="constant"), np.uint8)


def _depth(mask: Mask, spacing: Spacing) -> FloatArray:
    """Return how deep voxels of a mask lie in it, in mm; what the grid cuts off is no surface."""
    return np.asarray(ndimage.distance_transform_edt(mask, spacing), np.float32)


def _wall(
    rng: np.random.Generator, labels: NDArray[np.uint8], found: NDArray[np.uint8], spacing: Spacing
) -> None:
    """Lay skin and fat, muscle between and around bones and muscles, fat within: the rest of the body."""
    rest, depth = found == BODY, _depth(found > 0, spacing)
    shell = rng.uniform(6, 26) + 4 * smooth_field(rng, labels.shape, spacing, 60.0)
    firm = np.isin(found, (*BONES, *ORGANS["muscle"]))
    near = ndimage.distance_transform_edt(~firm, spacing) < rng.uniform(5, 10)
    labels[rest] = INDEX["visceral fat"]
    labels[rest & (depth < shell + rng.uniform(6, 16))] = INDEX["muscle"]
    labels[rest & near] = INDEX["muscle"]
    labels[rest & (depth < shell) & ~near] = INDEX["fat"]
    labels[rest & (depth < 2.0)] = INDEX["skin"]


def _bowel(
    rng: np.random.Generator, labels: NDArray[np.uint8], found: NDArray[np.uint8], spacing: Spacing
) -> None:
    inside = _depth(labels == INDEX["bowel"], spacing) > 3.0
    bubbles = smooth_field(rng, labels.shape, spacing, 28.0) > np.where(found == COLON, 0.4, 1.5)
    labels[inside & bubbles] = INDEX["bowel gas"]


def _kidneys(rng: np.random.Generator, labels: NDArray[np.uint8], spacing: Spacing) -> None:
    depth = _depth(labels == INDEX["kidney medulla"], spacing)
    cortex = rng.uniform(6, 9) + 3 * smooth_field(rng, labels.shape, spacing, 14.0)
    labels[(depth > 0) & (depth < cortex)] = INDEX["kidney cortex"]


def _heart(rng: np.random.Generator, labels: NDArray[np.uint8], spacing: Spacing) -> None:
    """Divide a heart into its left and right chambers, with muscle around and between them."""
    heart = labels == INDEX["heart muscle"]
    if not heart.any():
        return
    depth = _depth(heart, spacing)
    centre = [float(c.mean() * s) for c, s in zip(np.nonzero(heart), spacing, strict=True)]
    z, y, x = np.meshgrid(
        *[np.arange(n) * s - c for n, s, c in zip(labels.shape, spacing, centre, strict=True)],
        indexing="ij", sparse=True,
    )  # fmt: skip
    normal = np.array([0.1, 0.55, 0.8]) + rng.normal(0, 0.2, 3)  # to the right and forwards
    normal /= np.linalg.norm(normal)
    side = z * normal[0] + y * normal[1] + x * normal[2] + 5 * smooth_field(rng, labels.shape, spacing, 40.0)
    septum = rng.uniform(3, 6)
    left, right = heart & (side < -septum), heart & (side > septum)
    labels[left & (depth > rng.uniform(5, 11))] = INDEX["heart chamber"]
    labels[right & (depth > rng.uniform(1.5, 4))] = INDEX["right heart"]


def _bones(
    rng: np.random.Generator, labels: NDArray[np.uint8], found: NDArray[np.uint8], spacing: Spacing
) -> None:
    """Lay marrow and, as far as its thickness goes, cortex; and discs between the vertebrae."""
    spine, bone = np.isin(found, SPINE), np.isin(found, BONES)
    reach = [max(1, round(5.0 / spacing[0])), 1, 1]
    between = ndimage.binary_closing(spine, np.ones([2 * r + 1 for r in reach], bool)) & (found == BODY)
    labels[between] = INDEX["disc"]
    thick = rng.uniform(1.2, 2.2) + 0.7 * smooth_field(rng, labels.shape, spacing, 12.0)
    labels[bone] = INDEX["trabecular bone"]
    deep = _depth(bone, spacing) - spacing[1] / 2  # the middle of a voxel lies half a voxel in
    labels[bone & (deep <= thick)] = INDEX["cortical bone"]


def _small_vessels(rng: np.random.Generator, labels: NDArray[np.uint8], spacing: Spacing) -> None:
    """Lay thin vessels, where two smooth fields are near zero, through the lungs and the fat of the belly."""
    for inside, vessel, width in (("lung", "pulmonary vessel", 0.16), ("visceral fat", "artery", 0.09)):
        one, other = (smooth_field(rng, labels.shape, spacing, rng.uniform(35, 55)) for _ in range(2))
        thin = one**2 + other**2 < (width * rng.uniform(0.5, 1.2)) ** 2
        labels[thin & (labels == INDEX[inside])] = INDEX[vessel]
    lime = smooth_field(rng, labels.shape, spacing, 9.0) > rng.uniform(1.9, 4.0)  # in the wall of the aorta
    aorta = labels == INDEX["aorta"]
    labels[aorta & lime & (_depth(aorta, spacing) < 2.5)] = INDEX["cortical bone"]


def _table(rng: np.random.Generator, labels: NDArray[np.uint8], spacing: Spacing) -> None:
    rows = np.nonzero((labels > 0).any(axis=(0, 2)))[0]
    if len(rows) == 0:
        return
    top = int(rows[0] - rng.uniform(3, 12) / spacing[1])
    below = slice(max(0, top - round(rng.uniform(6, 12) / spacing[1])), max(0, top))
    sheet = labels[:, below]
    sheet[sheet == 0] = INDEX["table"]


__all__ = ["BODY", "BONES", "ORGANS", "OrganMap", "torso_of"]
