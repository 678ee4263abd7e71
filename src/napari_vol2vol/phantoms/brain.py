"""Procedural multi-contrast heads by domain randomisation of the ICBM 152 tissue maps.

Every head is a random affine and elastic deformation of the template's tissue probabilities, painted with
random tissue intensities in a physically plausible order for its contrast, with cortical texture, bias field,
optional lesions with oedema, limited resolution and Rician noise (after the recipe of SynthSeg, Billot et al.
2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatArray = NDArray[np.float32]
Contrast = Literal["T1w", "T1ce", "T2w", "FLAIR"]

TISSUES = ("csf", "gm", "wm", "bone", "soft", "fat")
#: What `label_map` tells apart, by the value of its voxels; all that is not brain is background.
REGIONS = ("background", "CSF", "GM", "WM", "lesion core", "enhancing rim", "oedema")

# Mean intensity per tissue, 0 to 1, then lesion core, enhancing rim and oedema; ordered as at 3 T.
_INTENSITIES: dict[str, dict[str, float]] = {
    "T1w": {"csf": 0.14, "gm": 0.46, "wm": 0.68, "bone": 0.10, "soft": 0.42, "fat": 0.92,
            "core": 0.32, "rim": 0.46, "oedema": 0.42},
    "T1ce": {"csf": 0.14, "gm": 0.46, "wm": 0.66, "bone": 0.10, "soft": 0.46, "fat": 0.92,
             "core": 0.30, "rim": 0.95, "oedema": 0.40},
    "T2w": {"csf": 0.95, "gm": 0.58, "wm": 0.40, "bone": 0.08, "soft": 0.36, "fat": 0.72,
            "core": 0.85, "rim": 0.70, "oedema": 0.80},
    "FLAIR": {"csf": 0.10, "gm": 0.58, "wm": 0.46, "bone": 0.08, "soft": 0.42, "fat": 0.80,
              "core": 0.45, "rim": 0.85, "oedema": 0.90},
}  # fmt: skip


@dataclass(frozen=True)
class Anatomy:
    """One deformed head: tissues `(6, z, y, x)` in `TISSUES` order, lesion maps, cortical texture."""

    tissues: FloatArray
    core: FloatArray
    rim: FloatArray
    oedema: FloatArray
    texture: FloatArray


@lru_cache(maxsize=1)
def _template() -> FloatArray:
    import nibabel as nib

    with resources.as_file(resources.files(__package__) / "data" / "icbm152_tissues.nii.gz") as path:
        data = np.asarray(nib.load(path).dataobj)
    return (data.transpose(3, 2, 1, 0) / np.float32(250)).astype(np.float32)


def _smooth_field(
    rng: np.random.Generator, shape: tuple[int, ...], cells: int, amplitude: float
) -> FloatArray:
    """Return a smooth random field: cubic upsampling of a coarse normal grid."""
    coarse = rng.normal(0, amplitude, (cells,) * 3).astype(np.float32)
    zoomed = ndimage.zoom(coarse, [(n + 1) / cells for n in shape], order=3, mode="nearest")
    return np.asarray(zoomed[: shape[0], : shape[1], : shape[2]], np.float32)


def rotation_matrix(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (3, 3) product of the rotations by ``angles`` (radians) about axes 0, 1 and 2."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = [a for a in range(3) if a != axis]
        turn = np.eye(3)
        turn[[i, j], [i, j]] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def _coordinates(rng: np.random.Generator, shape: tuple[int, int, int]) -> FloatArray:
    """Return sampling positions `(3, z, y, x)` in the template: random affine plus elastic deformation."""
    angles = rng.normal(0, 0.09, 3)
    scale = rng.uniform(0.85, 1.12) * rng.uniform(0.94, 1.06, 3)
    matrix = rotation_matrix(angles) @ np.diag(1 / scale)
    centre_in, centre_out = np.array(_template().shape[1:]) / 2, np.array(shape) / 2
    grid = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in shape], indexing="ij"))
    moved = np.tensordot(
        matrix.astype(np.float32), grid - centre_out[:, None, None, None].astype(np.float32), 1
    )
    moved += (centre_in + rng.normal(0, 4, 3))[:, None, None, None].astype(np.float32)
    for axis in range(3):
        moved[axis] += _smooth_field(rng, shape, 5, 3.0) + _smooth_field(rng, shape, 11, 0.9)
    return np.asarray(moved, np.float32)


def _lesion(rng: np.random.Generator, tissues: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return core, enhancing rim and oedema maps of one lumpy lesion centred in white matter."""
    shape = tissues.shape[1:]
    candidates = np.argwhere(tissues[2, ::4, ::4, ::4] > 0.7) * 4
    centre = candidates[rng.integers(len(candidates))] if len(candidates) else np.array(shape) // 2
    radius = rng.uniform(5, 16)
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    distance = np.sqrt(
        sum((g - c) ** 2 * s for g, c, s in zip(grid, centre, rng.uniform(0.7, 1.4, 3), strict=True))
    )
    distance = (distance + _smooth_field(rng, shape, 14, 2.0)).astype(np.float32)
    brain = tissues[:3].sum(0)

    def inside(limit: float, softness: float) -> FloatArray:
        return np.asarray(brain / (1 + np.exp(np.clip((distance - limit) / softness, -30, 30))), np.float32)

    core = inside(radius * 0.6, 0.5)
    rim = np.clip(inside(radius * 0.6 + rng.uniform(1, 3), 0.5) - core, 0, 1)
    oedema = np.clip(inside(radius * rng.uniform(1.2, 1.9), 1.5) - core - rim, 0, 1) * tissues[2]
    return core, rim, oedema


def make_anatomy(
    seed: int, shape: tuple[int, int, int] = (160, 192, 160), *, lesion: bool | None = None
) -> Anatomy:
    """Return a random head of ``shape`` (z, y, x) voxels of 1 mm; ``lesion=None`` plants one in a third."""
    rng = np.random.default_rng(seed)
    positions = _coordinates(rng, shape)
    tissues = np.stack([ndimage.map_coordinates(m, positions, order=1, mode="constant") for m in _template()])
    sharpness = rng.uniform(1.0, 2.5)  # the template is an average of 152 heads: sharpen its blurred borders
    brain = np.clip(tissues[:3], 1e-4, 1) ** sharpness
    tissues[:3] = brain / brain.sum(0) * tissues[:3].sum(0)
    core = rim = oedema = np.zeros(shape, np.float32)
    if lesion or (lesion is None and rng.random() < 1 / 3):
        core, rim, oedema = _lesion(rng, tissues)
    texture = sum(
        ndimage.gaussian_filter(rng.normal(size=shape).astype(np.float32), s) * s**1.5
        for s in (0.7, 1.5, 3.0)
    )
    return Anatomy(tissues.astype(np.float32), core, rim, oedema, np.asarray(texture, np.float32))


def label_map(anatomy: Anatomy) -> NDArray[np.uint8]:
    """Return the region `(z, y, x)` that fills most of each voxel, as its index in `REGIONS`.

    Lesions cover the tissues as `paint` lays them on: core over rim over oedema. Draws no random numbers.
    """
    left = np.ones(anatomy.core.shape, np.float32)
    lesions = []
    for share in (anatomy.core, anatomy.rim, anatomy.oedema):
        lesions.append(left * share)
        left = left * (1 - share)
    brain = anatomy.tissues[:3]
    outside = np.clip(1 - brain.sum(0), 0, 1)  # skull, skin and air
    shares = np.stack([left * outside, *(left * brain), *lesions])
    return np.asarray(shares.argmax(0), np.uint8)


def paint(anatomy: Anatomy, contrast: Contrast, seed: int, *, noise: float | None = None) -> FloatArray:
    """Return the head in one contrast, non-negative with fat or CSF near 1.

    Parameters
    ----------
    noise : float, optional
        Standard deviation of the complex noise behind the Rician magnitude; random in [0.005, 0.04] by
        default.
    """
    rng = np.random.default_rng([seed, list(_INTENSITIES).index(contrast)])
    means = {k: v * rng.uniform(0.88, 1.12) for k, v in _INTENSITIES[contrast].items()}
    image = np.zeros(anatomy.core.shape, np.float32)
    for name, probability in zip(TISSUES, anatomy.tissues, strict=True):
        image += means[name] * probability * (1 + rng.uniform(0.02, 0.08) * anatomy.texture)
    for name in ("oedema", "rim", "core"):
        share = getattr(anatomy, name)
        image = image * (1 - share) + means[name] * share
    image *= np.exp(_smooth_field(rng, image.shape, 4, 0.12))
    image = ndimage.gaussian_filter(image, rng.uniform(0.25, 0.7))
    sigma = rng.uniform(0.005, 0.04) if noise is None else noise
    real = image + rng.normal(0, sigma, image.shape)
    return np.asarray(np.hypot(real, rng.normal(0, sigma, image.shape)), np.float32)
