"""What can be chosen: tasks, systems, bundles. Handed in, so that tests can bring their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Catalogue:
    """The registries that the *Translate* dock offers: those of ``tasks``, ``systems`` and ``bundles``.

    ``inputs_of`` returns the conditions that the networks of a bundle want.
    """

    tasks: Mapping[str, Any]
    systems: Mapping[str, Any]
    list_bundles: Callable[[str | None, str | None], Sequence[Any]]
    inputs_of: Callable[[Any], Sequence[str]] = lambda card: ("base",)


def installed() -> Catalogue:
    """Return what is installed."""
    from napari_vol2vol.bundles.library import inputs_of, list_bundles
    from napari_vol2vol.systems.registry import SYSTEMS
    from napari_vol2vol.tasks.registry import TASKS

    return Catalogue(TASKS, SYSTEMS, list_bundles, inputs_of)
