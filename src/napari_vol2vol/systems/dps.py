"""DPS (Chung et al. 2023): the fixed prior, pulled by the gradient of the residual, from noise."""

from __future__ import annotations

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.consistency import dps
from napari_vol2vol.sampling.gradients import whole
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.reconstruction import problem_of


def build(context: Context) -> Assembly:
    """Assemble x̂0 = D(x_t) - strength sigma_t^2 / alpha_t grad |y - A D(x_t)|^2 / (2 s^2); see `dps`.

    Raises
    ------
    SettingsError
        If the noise of the measurement is not known.
    """
    p = problem_of(context)
    if p.sigma is None:
        raise SettingsError("sigma: found none, dps accepts measurements whose noise is stated")
    denoiser = dps(
        p.prior, p.operator, whole(p.y), p.diffused.schedule, sigma=p.sigma, slice_batch=context.slice_batch,
        prior_variance=context.options["prior_variance"], strength=context.options["strength"],
    )  # fmt: skip
    return Assembly(denoiser, p.diffused.schedule, p.decode)
