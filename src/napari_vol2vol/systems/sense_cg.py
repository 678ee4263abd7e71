"""SENSE by conjugate gradients (Pruessmann et al. 2001)."""

from __future__ import annotations

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.coil_sampling import CoilSampling
from napari_vol2vol.physics.fourier_sampling import FourierSampling
from napari_vol2vol.physics.reconstructions import sense_cg
from napari_vol2vol.systems.assembly import Assembly, Context, direct
from napari_vol2vol.systems.reconstruction import observed_of


def build(context: Context) -> Assembly:
    """Assemble the baseline (`napari_vol2vol.physics.reconstructions.sense_cg`)."""
    observed, options = observed_of(context), context.options
    operator = observed.operator
    if not isinstance(operator, FourierSampling | CoilSampling):
        raise SettingsError("sense-cg: found a measurement of CT, accepted is k-space")
    return direct(lambda: sense_cg(operator, observed.y, steps=options["cg_steps"], weight=options["weight"]))
