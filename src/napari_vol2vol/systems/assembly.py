"""What a system is assembled from and into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.library import required_bundles
from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.sampling.branches import Branch, Diffused, PlaneModel, names_of, plane_model
from napari_vol2vol.sampling.consistency import projected
from napari_vol2vol.sampling.denoisers import Tap, averaged, no_tap, plane_denoiser
from napari_vol2vol.sampling.latent import Latent, make_latent
from napari_vol2vol.sampling.measurement import Measurement
from napari_vol2vol.sampling.planes import PLANES, Plane, Tick, no_tick
from napari_vol2vol.sampling.samplers import SAMPLERS, Denoiser, Sampler
from napari_vol2vol.sampling.schedules import Schedule


@dataclass(frozen=True)
class Context:
    """Everything a system may use.

    It calls ``tick`` between network calls, and ``rest`` where much memory was or will be freed. ``slab`` is
    the axial slices a 3D network sees at once (None: all); ``options`` holds a value for each option of the
    system.
    """

    measurement: Measurement
    card: BundleCard | None
    device: torch.device
    slice_batch: int = 16
    slab: int | None = None
    fusion_lambda: float = 1.0
    consistency: bool = True
    plane: str | None = None
    weights: tuple[float, ...] | None = None
    tick: Tick = no_tick
    rest: Tick = no_tick
    tap: Tap = no_tap
    options: Mapping[str, Any] = field(default_factory=dict)

    def bundle(self) -> BundleCard:
        """Return the card, which systems with networks need."""
        if self.card is None:
            raise BundleError("this system needs a bundle of trained weights")
        return self.card


@dataclass(frozen=True)
class Assembly:
    """A system ready to sample: a denoiser of the diffused variable z, and the way from z to the image x.

    ``schedule`` is None for systems that answer in one call; their denoiser ignores x_t and t. ``samplers``
    are those that fit the schedule, by solver name; ``start`` is the z that they start from (None: noise).
    """

    denoiser: Denoiser
    schedule: Schedule | None
    decode: Callable[[Tensor], Tensor]
    samplers: Mapping[str, Sampler] = field(default_factory=lambda: SAMPLERS)
    start: Tensor | None = None


def direct(estimate: Callable[[], Tensor]) -> Assembly:
    """Assemble a system that answers at once with a volume in model space."""
    return Assembly(lambda x_t, t: estimate(), None, lambda z: z)


def diffused_of(card: BundleCard) -> Diffused:
    """Return what the networks of a bundle denoise, as its card says."""
    d = card.diffusion
    return Diffused(d["what"], d["scale"], d["prediction"], d["schedule"], d.get("schedule_parameters") or {})


def branches_of(card: BundleCard, device: torch.device) -> list[Branch]:
    """Return the 2D branches of a bundle: its own planes, or those of the bundles it builds on.

    Raises
    ------
    BundleError
        If a plane is unknown, or a branch names a bundle that the card does not require.
    """
    if not card.requires:
        return _own_branches(card, device, card.planes)
    required = required_bundles(card)
    if not card.branches:
        return [b for base in required.values() for b in _own_branches(base, device, card.planes)]
    if unknown := {name for name, _ in card.branches} - set(required):
        raise BundleError(
            f"bundle {card.name}: branches of {', '.join(sorted(unknown))}, which it does not require"
        )
    by_name = {
        name: {b.plane: b for b in _own_branches(base, device, base.planes)}
        for name, base in required.items()
    }  # fmt: skip
    return [by_name[name][plane] for name, plane in card.branches]  # type: ignore[index]


def planes_of(context: Context) -> list[Plane]:
    """Return the planes of a bundle whose one network serves them all, or of these ``Context.plane``.

    Raises
    ------
    SettingsError, BundleError
        If the plane asked for is not the bundle's, or the bundle names none or an unknown one.
    """
    card = context.bundle()
    if not card.planes or set(card.planes) - set(PLANES):
        raise BundleError(
            f"bundle {card.name}: found planes {list(card.planes)}, accepted are {', '.join(PLANES)}"
        )
    if context.plane not in (None, *card.planes):
        raise SettingsError(
            f"plane: found {context.plane!r}, bundle {card.name} has {', '.join(card.planes)}"
        )
    return [p for p in PLANES if p in card.planes and context.plane in (None, p)]


def _own_branches(card: BundleCard, device: torch.device, planes: Sequence[str]) -> list[Branch]:
    unknown = [p for p in planes if p not in PLANES or p not in card.planes]
    if unknown or not planes:
        raise BundleError(f"bundle {card.name}: found planes {list(planes)}, it has {', '.join(card.planes)}")
    network, diffused = load_unet(card, device), diffused_of(card)
    count = int(card.network.get("consecutive", 1))
    return [Branch(network, plane, diffused, card.inputs, count) for plane in planes]  # type: ignore[arg-type]


def at_work(context: Context, branches: Sequence[Branch], shared: Diffused) -> list[PlaneModel]:
    """Put branches to work on the context's measurement, in a run that diffuses as ``shared`` says."""
    conditions = context.measurement.conditions
    for branch in branches:
        context.measurement.condition(branch.inputs)
    return [
        plane_model(branch, conditions, shared, slice_batch=context.slice_batch, tick=context.tick)
        for branch in branches
    ]


def average_of(context: Context, planes: Sequence[str]) -> Assembly:
    """Assemble the (weighted) average of the branches along ``planes``, in x̂0 space on one x_t."""
    card = context.bundle()
    branches = [b for b in branches_of(card, context.device) if b.plane in planes]
    if missing := [p for p in planes if p not in {b.plane for b in branches}]:
        raise BundleError(f"bundle {card.name}: has no model of the {', '.join(missing)} plane")
    shared = diffused_of(card)
    models = at_work(context, branches, shared)
    parts = {name: plane_denoiser(model) for name, model in zip(names_of(models), models, strict=True)}
    average = averaged(parts, context.weights, context.tap)
    return finish(context, average, shared)


def consistent(context: Context, denoiser: Denoiser, latent: Latent) -> Denoiser:
    """Add the consistency projection where it is wanted and something was measured."""
    observed = context.measurement.observed
    if context.consistency and observed is not None:
        return projected(denoiser, observed.operator, latent.encode_observed(observed))
    return denoiser


def finish(context: Context, denoiser: Denoiser, diffused: Diffused) -> Assembly:
    """Add the consistency projection (`consistent`) and the way back."""
    latent = make_latent(diffused.what, diffused.scale, context.measurement.conditions)
    return Assembly(consistent(context, denoiser, latent), diffused.schedule, latent.decode)
