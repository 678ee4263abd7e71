"""SDEdit (Meng et al. 2022): the source with the noise of t0, denoised by a model of the target alone.

``sdedit`` is one plane, slice by slice, as the paper; `sdedit_planes` averages those of the bundle. The
network is that of MIDiffusion without its map: it was trained without in a share of the images.
"""

from __future__ import annotations

from napari_vol2vol.sampling.latent import make_latent
from napari_vol2vol.sampling.mutual_information_guide import time_of_information
from napari_vol2vol.sampling.noise_bank import NoiseBank
from napari_vol2vol.sampling.planes import Plane
from napari_vol2vol.systems.assembly import Assembly, Context, planes_of
from napari_vol2vol.systems.midiffusion import averaged_planes, guided_parts, samplers_from


def build(context: Context) -> Assembly:
    """Assemble one plane: the one asked for, or the first of the bundle."""
    return along(context, planes_of(context)[:1])


def along(context: Context, planes: list[Plane]) -> Assembly:
    """Assemble x_t0 = G + sigma(t0) eps, then x̂0 = mean_p D_p(x_t, t); t0 None asks the LMI curve."""
    network, diffused, layer = guided_parts(context)
    source, options = context.measurement.plain, dict(context.options)
    latent = make_latent(diffused.what, diffused.scale, {})
    t0 = options["t0"]
    if t0 is None:
        bank, shape, device = NoiseBank(0), tuple(source.shape), source.device
        t0 = time_of_information(
            source, latent.encode(source), layer, diffused.schedule, options["information"],
            lambda i: bank.draw(i, shape, device),
        )  # fmt: skip
    denoiser = averaged_planes(context, planes, network, diffused, None)
    samplers = samplers_from(lambda: latent.encode(source), t0, options)
    return Assembly(denoiser, diffused.schedule, latent.decode, samplers)
