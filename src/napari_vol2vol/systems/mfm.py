"""Medical Flow Matching: a velocity field carries a CT from one phase to the other, slice by slice.

One network serves both directions (3.2): the card of contrast addition requires the weights of removal. The
paper's system is axial; averaging the velocities of perpendicular planes at every call, as TPDM and TOSM
average diffusion models, is this project's (`systems.mfm_planes`).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.library import required_bundles
from napari_vol2vol.bundles.weights import load_velocity
from napari_vol2vol.errors import BundleError
from napari_vol2vol.networks.velocity import source_slices_of
from napari_vol2vol.sampling.flow import FLOW_SAMPLERS, Velocity, linear_path, reversed_in_time
from napari_vol2vol.sampling.plane_velocity import plane_velocity
from napari_vol2vol.sampling.planes import Plane
from napari_vol2vol.systems.assembly import Assembly, Context, planes_of
from napari_vol2vol.systems.body_box import body_box, inside
from napari_vol2vol.systems.flow_options import GRAIN
from napari_vol2vol.systems.grain import with_grain_of

#: What lies at t = 0 and at t = 1 of the flow, as the targets of bundles.
NATIVE, ARTERIAL = "native", "arterial"


def build(context: Context) -> Assembly:
    """Assemble the axial flow, or that of ``Context.plane``."""
    return flow_along(context, axial_or_asked(context))


def axial_or_asked(context: Context) -> list[Plane]:
    """Return the axial plane, or ``Context.plane``.

    Raises
    ------
    SettingsError, BundleError
        If the bundle was not trained on it.
    """
    available = planes_of(context)
    if context.plane is None and "axial" not in available:
        raise BundleError(
            f"bundle {context.bundle().name}: found planes {', '.join(available)}, accepted is axial among "
            "them, or a plane that is asked for"
        )
    return ["axial"] if context.plane is None else available


def flow_along(context: Context, planes: Sequence[Plane]) -> Assembly:
    """Assemble dx/dt = mean_p f_p(x_t, t) (eq. 3), from the source at t = 1 to the result at t = 0.

    Raises
    ------
    BundleError
        If the bundle's target is neither end of the flow.
    """
    return flow_of(context, mean_velocity(context, planes))


def flow_of(context: Context, velocity: Velocity) -> Assembly:
    """Assemble the run of a velocity, turned round where the bundle's target is the arterial phase."""
    card = context.bundle()
    source = context.measurement.condition(card.inputs)[0]
    turned = velocity if card.target == NATIVE else reversed_in_time(velocity)
    shown = with_grain_of(source, context.options[GRAIN.name])
    return Assembly(turned, linear_path, shown, FLOW_SAMPLERS, source)


def mean_velocity(context: Context, planes: Sequence[Plane]) -> Velocity:
    """Return the mean over planes of the network of a bundle, or of the one that its card requires.

    Raises
    ------
    BundleError
        If the bundle's target is neither phase.
    """
    card = context.bundle()
    parts = plane_velocities(context, next(iter(required_bundles(card).values()), card), planes)

    def velocity(x: Tensor, t: float) -> Tensor:
        total = parts[0](x, t)
        for part in parts[1:]:
            total = total + part(x, t)
        return total / len(parts) if len(parts) > 1 else total

    return velocity


def plane_velocities(context: Context, card: BundleCard, planes: Sequence[Plane]) -> list[Velocity]:
    """Return the velocity of the network of ``card`` along each plane, in a box around the body.

    Raises
    ------
    BundleError
        If the target of the run's bundle is neither phase, or its network sees an even number of slices.
    """
    own = context.bundle()
    if own.target not in (NATIVE, ARTERIAL):
        raise BundleError(f"bundle {own.name}: found target {own.target!r}, accepted are native, arterial")
    network = load_velocity(card, context.device)
    count = source_slices_of(network.config)
    if count and count % 2 == 0:
        raise BundleError(
            f"bundle {card.name}: found a network of {1 + count} channels, accepted are x_t alone, or x_t "
            "and an odd number of slices of the source"
        )
    source = context.measurement.condition(own.inputs)[0]
    box = body_box(source, network.config.multiple)

    def along(plane: Plane) -> Velocity:
        of_body = plane_velocity(
            network, plane, source[box], count,
            slice_batch=context.slice_batch, tick=context.tick,
        )  # fmt: skip
        whole = inside(of_body, box)

        def velocity(x: Tensor, t: float) -> Tensor:
            found = whole(x, t)
            context.tap(f"velocity {plane}", found)
            return found

        return velocity

    return [along(plane) for plane in planes]
