"""A Gaussian model of the image: no network, every step in closed form. For lessons, and to check samplers.

``z = (x - mean) / spread`` is a stationary Matern field (`sampling.gaussian_prior.Spectrum`). With
consistency the samples are those of the exact posterior given the measurement, up to the number of steps.
"""

from __future__ import annotations

from typing import Any

import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.block_average import BlockAverage
from napari_vol2vol.sampling.denoisers import averaged
from napari_vol2vol.sampling.gaussian_prior import Known, Spectrum, cosines, gaussian_denoiser, transformed
from napari_vol2vol.sampling.gaussian_prior import averaged_cosines as block_cosines
from napari_vol2vol.sampling.latent import Latent
from napari_vol2vol.sampling.planes import PLANES, Plane
from napari_vol2vol.sampling.schedules import vp_cosine
from napari_vol2vol.systems.assembly import Assembly, Context

#: Names of `gaussian_options.MODEL` beside those of single planes.
VOLUME, AVERAGE = "volume", "planes"


def build(context: Context) -> Assembly:
    """Assemble E[z | x_t], or E[z | x_t, A z = y] with consistency, of the model that ``model`` names."""
    observed = context.measurement.observed
    if observed is None or not isinstance(observed.operator, BlockAverage):
        raise SettingsError(
            "system: found gaussian for a task without block means, accepted is super-resolution"
        )
    options, shape = context.options, context.measurement.shape
    operator, y = observed.operator, observed.y
    level = float(y.mean()) / operator.gain
    spectra = _spectra(options)
    spread = options["spread"] or _spread(spectra[0][1], y - level * operator.gain, shape, operator.factor)
    latent = Latent(torch.full_like(context.measurement.plain, level), spread)
    known = None
    if context.consistency:
        known = Known(latent.encode_observed(observed), operator.factor)
    parts = {}
    for name, spectrum in spectra:
        parts[name] = gaussian_denoiser(spectrum, shape, vp_cosine, known)
    denoiser = averaged(parts, None, context.tap) if len(parts) > 1 else parts[spectra[0][0]]

    def ticking(x_t: torch.Tensor, t: float) -> torch.Tensor:
        context.tick()
        return denoiser(x_t, t)

    return Assembly(ticking, vp_cosine, latent.decode)


def _spectra(options: Any) -> list[tuple[str, Spectrum]]:
    model, length, smoothness = options["model"], options["length"], options["smoothness"]
    several: dict[str, tuple[Plane | None, ...]] = {VOLUME: (None,), AVERAGE: PLANES}
    planes = several.get(model, (model,))
    return [(plane or VOLUME, Spectrum(length, smoothness, plane)) for plane in planes]


def _spread(spectrum: Spectrum, gap: torch.Tensor, shape: Any, factor: Any) -> float:
    """Return the most likely spread of z given the measurement (maximum likelihood, closed form).

    Each coarse cosine of ``gap`` `(d, h, w)` has variance ``spread^2 Lambda``, so the estimate is the root of
    the mean of its square over Lambda; the constant one is left out, as the mean was taken from it.
    """
    squared = [block_cosines(n, k).square() for n, k in zip(shape, factor, strict=True)]
    explained = transformed(spectrum.power(shape), squared).flatten()[1:]
    found = transformed(gap.double().cpu(), [cosines(n) for n in gap.shape]).flatten()[1:]
    return max(float((found.square() / explained).mean().sqrt()), 1e-6)
