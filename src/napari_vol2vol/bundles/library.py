"""Where bundles are looked for, offline: packaged ones, the user's folder, ``VOL2VOL_BUNDLES``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from importlib import resources
from pathlib import Path

from napari_vol2vol.bundles.card import BundleCard, read_card
from napari_vol2vol.errors import BundleError

#: The task of a card whose network is a prior without conditions, for every reconstruction.
PRIOR_TASK = "reconstruction-prior"
RECONSTRUCTIONS = ("sparse-view-ct", "mri-reconstruction")
#: Families of velocity networks, whose channels after the first are slices of the source.
VELOCITY_FAMILIES = ("time-resnet", "time-monai")


def bundle_folders() -> list[Path]:
    """Return the folders searched, first match wins."""
    from platformdirs import user_data_path

    listed = [Path(p) for p in os.environ.get("VOL2VOL_BUNDLES", "").split(os.pathsep) if p]
    packaged = Path(str(resources.files("napari_vol2vol.bundles"))) / "data"
    return [*listed, user_data_path("napari-vol2vol") / "bundles", packaged]


def list_bundles(task: str | None = None, system: str | None = None) -> list[BundleCard]:
    """Return the cards of all bundles found, optionally only those for a task and a system, best first.

    Best are those that name the system first, then T1w ones, then those with more planes, then velocity
    networks that see more of the source, then by name.

    A folder whose card cannot be read is left out here; `find_bundle` with its path tells why.
    """
    cards: dict[str, BundleCard] = {}
    for root in bundle_folders():
        if not root.is_dir():
            continue
        for folder in sorted(p for p in root.iterdir() if (p / "metadata.json").is_file()):
            try:
                card = read_card(folder)
            except BundleError:
                continue
            cards.setdefault(card.name, card)
    fitting = (
        c for c in cards.values()
        if (task is None or serves(c, task)) and (system is None or system in c.systems)
    )  # fmt: skip
    if system is None:
        return sorted(fitting, key=lambda card: card.name)
    return sorted(
        fitting,
        key=lambda c: (
            c.systems.index(system), "T1w" not in c.modality, -len(c.planes), -_source_slices(c), c.name
        ),
    )  # fmt: skip


def _source_slices(card: BundleCard) -> int:
    """Return how many slices of the source a velocity network sees beside x_t; others count none."""
    return channels_of(card) - 1 if card.network.get("family") in VELOCITY_FAMILIES else 0


def serves(card: BundleCard, task: str) -> bool:
    """Whether a bundle is for a task; priors are for every reconstruction."""
    return card.task == task or (card.task == PRIOR_TASK and task in RECONSTRUCTIONS)


def channels_of(card: BundleCard) -> int:
    """Return the channels of the images that a prior knows: 1 for real, 2 for complex ones."""
    return int(card.network.get("in_channels", 1))


def find_bundle(
    name_or_path: str | None,
    task: str,
    system: str,
    modalities: Collection[str] = (),
    channels: int | None = None,
) -> BundleCard:
    """Return a bundle by name or folder, or the default for a task and system.

    The default is the best one (`list_bundles`) whose modality is among ``modalities``, else the best.
    ``channels`` are those of the image to be reconstructed, which a prior must have (None: any).

    Raises
    ------
    BundleError
        If there is none, or it serves another task or system, or has other channels; the message names what
        there is.
    """
    fitting = [c for c in list_bundles(task, system) if channels is None or channels_of(c) == channels]
    if name_or_path is None:
        if not fitting:
            of = "" if channels is None else f" and images of {channels} channel(s)"
            raise BundleError(f"no bundle for task {task!r} and system {system!r}{of} is installed")
        return next((card for card in fitting if set(card.modality) & set(modalities)), fitting[0])
    if (Path(name_or_path) / "metadata.json").is_file():
        card = read_card(Path(name_or_path))
    else:
        everything = {card.name: card for card in list_bundles()}
        if name_or_path not in everything:
            known = ", ".join(everything) or "none"
            raise BundleError(
                f"bundle: found {name_or_path!r}, installed are {known} (or give a bundle's folder)"
            )
        card = everything[name_or_path]
    if channels is not None and card.task == PRIOR_TASK and channels_of(card) != channels:
        raise BundleError(
            f"bundle {card.name} is a prior of images with {channels_of(card)} channel(s), the measurement "
            f"is of one with {channels} (1: real, 2: complex)"
        )
    if not serves(card, task) or system not in card.systems:
        raise BundleError(
            f"bundle {card.name} serves task {card.task} with {', '.join(card.systems)}, "
            f"not {task} with {system}"
        )
    return card


def file_digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_bundle(card: BundleCard) -> None:
    """Check that every weight file is there and has the sha256 of the card.

    Raises
    ------
    BundleError
        Naming the first file that is missing or differs.
    """
    for name, expected in card.weights.items():
        path = card.path / name
        if not path.is_file():
            raise BundleError(f"bundle {card.name}: weight file {name} is missing in {card.path}")
        if (found := file_digest(path)) != expected:
            raise BundleError(
                f"bundle {card.name}: {name} has sha256 {found[:12]}…, the card says {expected[:12]}…"
            )


def required_bundles(card: BundleCard) -> dict[str, BundleCard]:
    """Return the bundles that this one builds on, by name: the very weights it was trained with.

    They are looked for beside this one, where `vol2vol train` leaves them, and among the installed ones.

    Raises
    ------
    BundleError
        If there is none of that name, or only with other weights.
    """
    return {name: _required(card, name, digest) for name, digest in card.requires.items()}


def inputs_of(card: BundleCard) -> tuple[str, ...]:
    """Return every condition that a network of the bundle wants, its own first.

    Raises
    ------
    BundleError
        If a bundle it builds on is not there.
    """
    required = required_bundles(card).values()
    return tuple(dict.fromkeys([*card.inputs, *(name for base in required for name in base.inputs)]))


def _required(card: BundleCard, name: str, expected: str) -> BundleCard:
    roots = [card.path.parent, card.path.parent.parent / name, *bundle_folders()]
    present = [root / name for root in roots if (root / name / "metadata.json").is_file()]
    for folder in present:
        if expected in (base := read_card(folder)).weights.values():
            return base
    if present:
        raise BundleError(f"bundle {card.name}: was trained on other weights of bundle {name}")
    raise BundleError(f"bundle {card.name}: needs bundle {name}, which is not installed")
