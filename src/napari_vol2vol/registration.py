"""Bring one series of a patient onto another before they are compared: patients breathe.

SimpleITK does the work (optional, extra ``register``): Mattes' mutual information, rigid, then B-splines.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    import SimpleITK

METHODS = ("rigid", "deformable")
#: Share of the voxels that the metric looks at, and the resolutions (factor, smoothing in mm).
SAMPLING, LEVELS = 0.05, ((4, 4.0), (2, 2.0))
#: Distance of the knots of the B-splines.
GRID_MM = 40.0
HISTOGRAM = 50
#: An axis keeps this many voxels at the lowest resolution, and the metric sees this many in all.
FEWEST, SAMPLES = 8, 10_000
#: Share of the mutual information that a registration may lose before it counts as a failure.
NO_WORSE = 0.95


@dataclass(frozen=True)
class Registered:
    """The moved ``volume`` on the grid of the fixed one, and how alike both were ``before`` and ``after``.

    Both are mutual information in nats inside the body, of the series as resampled and as registered.
    """

    volume: Volume
    before: float
    after: float
    method: str


def available() -> bool:
    """Whether SimpleITK is installed."""
    return find_spec("SimpleITK") is not None


def register(
    moving: Volume,
    fixed: Volume,
    *,
    method: str = "deformable",
    grid_mm: float = GRID_MM,
    seed: int = 1,
    cancel: threading.Event | None = None,
) -> Registered:
    """Register ``moving`` to ``fixed`` from the scanner's coordinates and resample it onto its grid.

    The body of ``fixed`` (its largest part above Otsu's threshold, holes filled) is where the metric looks,
    so that table and air do not count. What lies outside the moved field of view gets the smallest value.

    Series that lie as well without it are only resampled; then ``after`` equals ``before``.

    Parameters
    ----------
    method : str
        ``rigid``, or ``deformable``: B-splines with knots every ``grid_mm`` mm on top of it.
    seed : int
        Of the voxels that the metric looks at.
    cancel : threading.Event, optional
        Ends the registration at its next iteration when it is set.

    Raises
    ------
    SettingsError
        If the method is unknown, or SimpleITK is not installed.
    VolumeError
        If the volumes do not overlap, registration made them less alike, or it was cancelled.
    """
    if method not in METHODS:
        raise SettingsError(f"method: found {method!r}, accepted are {', '.join(METHODS)}")
    if not available():
        raise SettingsError('registration needs SimpleITK: pip install "napari-vol2vol[register]"')
    import SimpleITK

    target, source, mask = image_of(fixed), image_of(moving), _body(fixed)
    begin = SimpleITK.Euler3DTransform()
    begin.SetCenter(target.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in target.GetSize()]))
    plain = moving.resampled_to(fixed)
    rigid = _run(_method(target, seed, cancel), target, source, mask, begin, rigid=True)
    transform = SimpleITK.CompositeTransform([rigid])
    _check(cancel, moving)
    if method == "deformable":
        mesh = [
            max(2, round(n * s / grid_mm)) for n, s in zip(target.GetSize(), target.GetSpacing(), strict=True)
        ]
        splines = SimpleITK.BSplineTransformInitializer(target, mesh)
        found = _method(target, seed, cancel)
        found.SetMovingInitialTransform(rigid)
        transform.AddTransform(_run(found, target, source, mask, splines, rigid=False))
    _check(cancel, moving)
    low = float(moving.data.min())
    moved = SimpleITK.Resample(source, target, transform, SimpleITK.sitkLinear, low, SimpleITK.sitkFloat32)
    data = np.ascontiguousarray(SimpleITK.GetArrayFromImage(moved))
    inside = SimpleITK.GetArrayFromImage(mask).astype(bool)
    before, after = _alike(plain.data, fixed.data, inside), _alike(data, fixed.data, inside)
    if after < before and after > NO_WORSE * before:  # they lay as well before: interpolation blurs alone
        data, after = plain.data, before
    if after < before:
        raise VolumeError(
            f"{moving.name}: registration to {fixed.name} made them less alike (mutual information "
            f"{before:.3f} before, {after:.3f} after): are they the same patient? Nothing was changed"
        )
    volume = plain.with_data(data, name=f"{moving.name} registered")
    return Registered(volume, before, after, method)


def _check(cancel: threading.Event | None, moving: Volume) -> None:
    if cancel is not None and cancel.is_set():
        raise VolumeError(f"{moving.name}: registration was cancelled; nothing was changed")


def image_of(volume: Volume) -> SimpleITK.Image:
    """Return a volume as an ITK image with its true grid (ITK's world is LPS)."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(volume.data)
    columns = volume.affine[:3, :3]
    spacing = np.linalg.norm(columns, axis=0)
    to_lps = np.diag([-1.0, -1.0, 1.0])
    direction = to_lps @ (columns / spacing)
    # an affine may shear a little from rounding; ITK wants a rotation
    u, _, v = np.linalg.svd(direction)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection([float(d) for d in (u @ v).ravel()])
    image.SetOrigin([float(o) for o in to_lps @ volume.affine[:3, 3]])
    return image


def _body(fixed: Volume) -> Any:
    """Return the mask of the body, also of one with negative values (CT)."""
    import SimpleITK

    from napari_vol2vol.metrics.coherence import body_mask

    mask = SimpleITK.GetImageFromArray(body_mask(fixed.data, 0.0, fixed.spacing_mm).astype(np.uint8))
    mask.CopyInformation(image_of(fixed))
    return mask


def _method(target: Any, seed: int, cancel: threading.Event | None) -> Any:
    import SimpleITK

    found = SimpleITK.ImageRegistrationMethod()
    found.SetMetricAsMattesMutualInformation(HISTOGRAM)
    found.SetMetricSamplingStrategy(found.RANDOM)
    few = SAMPLES / target.GetNumberOfPixels()
    found.SetMetricSamplingPercentage(min(1.0, max(SAMPLING, few)), seed)
    found.SetInterpolator(SimpleITK.sitkLinear)
    most = max(1, min(target.GetSize()) // FEWEST)  # few slices cannot be shrunk much
    found.SetShrinkFactorsPerLevel([min(factor, most) for factor, _ in LEVELS])
    found.SetSmoothingSigmasPerLevel([sigma for _, sigma in LEVELS])
    found.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    found.SetNumberOfThreads(1)  # the sum of several threads depends on their order
    found.AddCommand(
        SimpleITK.sitkIterationEvent,
        lambda: found.StopRegistration() if cancel is not None and cancel.is_set() else None,
    )
    return found


def _run(method: Any, fixed: Any, moving: Any, mask: Any, begin: Any, *, rigid: bool) -> Any:
    method.SetMetricFixedMask(mask)
    if rigid:
        method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 60)
        method.SetOptimizerScalesFromPhysicalShift()
    else:
        method.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-5, numberOfIterations=25)
    method.SetInitialTransform(begin, inPlace=False)
    try:
        return method.Execute(fixed, moving)
    except RuntimeError as error:
        if "Sampled point set" in str(error) or "samples map outside" in str(error):
            raise VolumeError(
                "registration: found volumes that do not overlap, accepted are overlapping ones"
            ) from error
        raise VolumeError(f"registration failed: {str(error).strip().splitlines()[-1]}") from error


def _alike(a: NDArray[np.float32], b: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """Return the mutual information in nats of two arrays inside a mask, from a joint histogram."""
    counts = np.histogram2d(a[inside], b[inside], bins=HISTOGRAM)[0] / inside.sum()
    outer = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True)
    there = counts > 0
    return float((counts[there] * np.log(counts[there] / outer[there])).sum())
