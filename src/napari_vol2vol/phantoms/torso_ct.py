"""CT of procedural torsos in HU: native, and in the arterial phase of the same patient.

Native values and their spread are those of adults at 120 kV. The arterial phase (15 to 35 s after injection)
adds what iodine does by then: aorta and arteries are bright, the cortex of the kidneys and the spleen, in its
stripes, take it up, the liver hardly does, and the veins below the kidneys have none yet. What comes from the
arm, upper vena cava, right heart and vessels of the lungs, is anything from empty to denser than the aorta.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from napari_vol2vol.phantoms.torso import INDEX, LABELS, Torso, make_torso
from napari_vol2vol.phantoms.torso_shapes import FloatArray, smooth_field

#: Mean and spread between patients in HU, native.
NATIVE: dict[str, tuple[float, float]] = {
    "air": (-1000, 0), "table": (-500, 150), "skin": (30, 15), "fat": (-105, 6), "muscle": (55, 5),
    "visceral fat": (-100, 7), "bowel": (32, 9), "bowel gas": (-960, 20), "stomach": (22, 9),
    "liver": (57, 6), "gallbladder": (8, 5), "spleen": (48, 4), "pancreas": (40, 6),
    "kidney cortex": (33, 3), "kidney medulla": (31, 3), "lung": (-840, 35), "heart muscle": (46, 4),
    "disc": (80, 10), "trabecular bone": (180, 45), "cortical bone": (620, 130),
}  # fmt: skip
#: Blood is alike in all vessels without contrast medium.
BLOOD = (42.0, 4.0)
VESSELS = (
    "vein", "portal vein", "renal vein", "heart chamber", "artery", "aorta", "right heart", "upper vena cava",
    "pulmonary vessel",
)  # fmt: skip
#: Range of what the arterial phase adds in HU; of arteries and chambers in shares of the aorta's.
ADDED: dict[str, tuple[float, float]] = {
    "muscle": (2, 8), "bowel": (15, 45), "stomach": (0, 12), "liver": (4, 16), "spleen": (55, 95),
    "pancreas": (35, 65), "kidney cortex": (95, 165), "kidney medulla": (12, 40), "heart muscle": (35, 65),
    "vein": (0, 18), "portal vein": (8, 55), "renal vein": (50, 130),
}  # fmt: skip
SHARES = {
    "artery": (0.88, 1.0), "heart chamber": (0.85, 1.05), "aorta": (1.0, 1.0), "right heart": (0.3, 1.4),
    "upper vena cava": (0.1, 2.6), "pulmonary vessel": (0.5, 1.3),
}  # fmt: skip


@dataclass(frozen=True)
class Enhancement:
    """Where how much contrast medium is: ranges in HU of the aorta, and of organs that differ from `ADDED`.

    Where blood comes from the arm, ``mixing`` is the standard deviation of the logarithm of its amount.
    """

    aorta: tuple[float, float]
    added: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    mixing: float = 0.0


ARTERIAL = Enhancement((190.0, 380.0))
#: Where blood comes from the arm, and is mixed unevenly.
MIXED = ("right heart", "upper vena cava", "pulmonary vessel")


@dataclass(frozen=True)
class TorsoPair:
    """One patient twice, ``native`` and ``contrast`` `(z, y, x)` in HU, and the organs of the native scan."""

    native: FloatArray
    contrast: FloatArray
    torso: Torso


def _values(rng: np.random.Generator, enhancement: Enhancement) -> tuple[FloatArray, FloatArray]:
    """Return a patient's HU of every label, native and added by the contrast medium."""
    blood = rng.normal(*BLOOD)
    native = [blood if name in VESSELS else rng.normal(*NATIVE[name]) for name in LABELS]
    peak, ranges = rng.uniform(*enhancement.aorta), {**ADDED, **enhancement.added}
    added = [
        peak * rng.uniform(*SHARES[name]) if name in SHARES else rng.uniform(*ranges.get(name, (0.0, 0.0)))
        for name in LABELS
    ]
    return np.asarray(native, np.float32), np.asarray(added, np.float32)


def _texture(rng: np.random.Generator, torso: Torso) -> FloatArray:
    """Return what parenchyma, lungs and bone show beside their mean in both scans, in HU."""
    shape, spacing = torso.labels.shape, torso.spacing_mm
    fine = smooth_field(rng, shape, spacing, 6.0)
    amount = np.full(len(LABELS), 3.0, np.float32)
    for name, hu in {"air": 0, "lung": 45, "trabecular bone": 40, "cortical bone": 60, "bowel": 14,
                     "visceral fat": 6, "bowel gas": 0, "table": 20}.items():  # fmt: skip
        amount[INDEX[name]] = hu
    return np.asarray(amount[torso.labels] * fine, np.float32)


def _scanned(
    rng: np.random.Generator, hu: FloatArray, torso: Torso, sharpness_mm: float, noise: float
) -> FloatArray:
    """Return a volume as a scanner shows it: blurred, with noise that is grainy in the slice."""
    blurred = ndimage.gaussian_filter(hu, [0.3, *(sharpness_mm / s for s in torso.spacing_mm[1:])])
    grain = ndimage.gaussian_filter(rng.standard_normal(hu.shape).astype(np.float32), (0, 0.7, 0.7))
    return np.asarray(np.maximum(blurred + noise / grain.std() * grain, -1024), np.float32)


def _breathed(rng: np.random.Generator, hu: FloatArray, torso: Torso, breathing_mm: float) -> FloatArray:
    """Return a volume displaced as by another breath: mostly up and down, never more than a few mm."""
    scales = (1.0, 0.35, 0.2)
    axes = np.meshgrid(*[np.arange(n, dtype=np.float32) for n in hu.shape], indexing="ij")
    for axis, share, spacing in zip(axes, scales, torso.spacing_mm, strict=True):
        field = smooth_field(rng, hu.shape, torso.spacing_mm, 110.0)
        axis += breathing_mm * share / spacing * field
    return np.asarray(ndimage.map_coordinates(hu, axes, order=1, mode="nearest"), np.float32)


def make_torso_pair(
    seed: int,
    shape: tuple[int, int, int] = (96, 256, 256),
    spacing_mm: tuple[float, float, float] = (2.5, 1.5, 1.5),
    *,
    middle_mm: float = 0.0,
    breathing_mm: float | None = None,
    noise: float | None = None,
) -> TorsoPair:
    """Return a random patient natively and in the arterial phase, in HU.

    Parameters
    ----------
    middle_mm : float
        As in `torso.make_torso`.
    breathing_mm : float, optional
        Standard deviation of the displacement of the contrast scan along z; random up to 1.5 by default.
    noise : float, optional
        Standard deviation of both scans' noise in HU; random in [6, 20] by default.
    """
    torso = make_torso(seed, shape, spacing_mm, middle_mm=middle_mm)
    return scanned_twice(torso, seed, breathing_mm=breathing_mm, noise=noise)


def scanned_twice(
    torso: Torso,
    seed: int,
    *,
    breathing_mm: float | None = None,
    noise: float | None = None,
    enhancement: Enhancement = ARTERIAL,
) -> TorsoPair:
    """Return a patient natively and with contrast medium, as `make_torso_pair` does, from its organs."""
    shape, spacing_mm = torso.labels.shape, torso.spacing_mm
    rng = np.random.default_rng([seed, 11])
    native, added = _values(rng, enhancement)
    texture = _texture(rng, torso)
    stripes = np.asarray(0.45 * np.sin(6 * smooth_field(rng, shape, spacing_mm, 40.0)), np.float32)
    gain = 1 + stripes * (torso.labels == INDEX["spleen"])
    if enhancement.mixing > 0:
        mixed = np.exp(
            enhancement.mixing * smooth_field(np.random.default_rng([seed, 12]), shape, spacing_mm, 25.0)
        )
        gain *= np.where(np.isin(torso.labels, [INDEX[name] for name in MIXED]), mixed, 1.0)
    sharpness, sigma = rng.uniform(0.4, 0.9), rng.uniform(6, 20) if noise is None else noise
    breath = abs(rng.normal(0, 0.7)) if breathing_mm is None else breathing_mm
    plain = native[torso.labels] + texture
    bright = plain + added[torso.labels] * gain
    if breath > 0:
        bright = _breathed(rng, bright, torso, min(breath, 1.5) if breathing_mm is None else breath)
    return TorsoPair(
        _scanned(rng, plain, torso, sharpness, sigma), _scanned(rng, bright, torso, sharpness, sigma), torso
    )


__all__ = ["ADDED", "ARTERIAL", "NATIVE", "Enhancement", "TorsoPair", "make_torso_pair", "scanned_twice"]
