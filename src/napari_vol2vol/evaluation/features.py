"""Features of volumes for FID and KID: what they are of is part of every figure, so each carries its name.

The default is the encoder half of the segmentation network of recipe `brain-regions`. That network takes two
contrasts, a set of results has one. So the recipe shows it, in a quarter of its cubes, one random contrast
(T1w, T1ce, T2w or FLAIR) in both channels, and here a volume goes into both: an input that the encoder was
trained on, whatever the contrast, and one encoder for all of them. Leaving the other channel empty was
trained as well, but would make features of T1ce and of FLAIR by two different routes, and of T1w by none.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.evaluation.segmentation_bundle import DEFAULT, find_segmentation

FloatArray = NDArray[np.float32]
#: Edge in voxels of the cubes that are one row of features each.
CUBE = 32


#: What the encoder of recipe `brain-regions` was trained on.
SEEN = ("T1w", "T1ce", "T2w", "FLAIR")


@dataclass(frozen=True)
class NamedFeatures:
    """A feature extractor and what every table calls it.

    ``extract`` goes from a volume (z, y, x) in shares of the data range to features (n, d), one row an item.
    """

    name: str
    extract: Callable[[FloatArray], ArrayLike]

    def __call__(self, volume: FloatArray) -> ArrayLike:
        """Return the features (n, d) of a volume (z, y, x)."""
        return self.extract(volume)


def features_for(target: str) -> str:
    """Return which features suit a modality: the default encoder has seen these contrasts of the brain."""
    return "default" if target in SEEN else "none"


def load_features(choice: str) -> NamedFeatures | None:
    """Return the features of ``none``, ``default``, a segmentation bundle's folder or a TorchScript file.

    Raises
    ------
    BundleError
        If the default bundle is not installed, or a folder holds none that segments.
    SettingsError
        If it is none of these, or the file is no TorchScript module.
    """
    if choice == "none":
        return None
    if choice == "default":
        try:
            card = find_segmentation()
        except BundleError as error:
            raise BundleError(f"features: default: {error}") from error
        return segmentation_features(card)
    path = Path(choice)
    if (path / "metadata.json").is_file():
        return segmentation_features(find_segmentation(path))
    return torchscript_features(path)


def segmentation_features(card: BundleCard) -> NamedFeatures:
    """Return the features of the encoder of a segmentation bundle.

    A volume is cut into cubes of 32 voxels that do not overlap, around its centre; what is left over at the
    borders is not seen, an axis shorter than a cube is continued by its border voxels. A cube goes into
    every channel of the network, its values clipped to the data range [0, 1]. Its features are the bottleneck
    averaged over the cube: the row counts of a table are counts of cubes, not of volumes. In float32 on the
    CPU, so that a table reprints itself.

    Raises
    ------
    BundleError
        If the bundle does not segment, or its weights do not fit its card.
    """
    import torch

    from napari_vol2vol.bundles.weights import load_segresnet

    network = load_segresnet(card, torch.device("cpu"))
    channels = network.config.in_channels

    def extract(volume: FloatArray) -> FloatArray:
        rows = []
        with torch.inference_mode():
            for cube in cubes_of(volume):
                x = torch.from_numpy(2 * np.clip(cube, 0, 1) - 1)
                rows.append(network.features(x.expand(1, channels, *x.shape))[0].numpy())
        return np.stack(rows)

    owner = f"vol2vol {card.name}" if card.name == DEFAULT else f"bundle {card.name}"
    name = (
        f"features of {owner} encoder, d = {network.config.width}, not Inception: mean bottleneck of each "
        f"{CUBE}³ cube, cubes do not overlap"
    )
    return NamedFeatures(name, extract)


def cubes_of(volume: FloatArray) -> list[FloatArray]:
    """Return the cubes of 32 voxels that tile the middle of a volume (z, y, x), in order."""
    short = [max(0, CUBE - n) for n in volume.shape]
    volume = np.pad(volume, [(n // 2, n - n // 2) for n in short], mode="edge")
    counts = [n // CUBE for n in volume.shape]
    starts = [(n - CUBE * count) // 2 for n, count in zip(volume.shape, counts, strict=True)]
    cubes = []
    for index in np.ndindex(*counts):
        first = [s + CUBE * i for s, i in zip(starts, index, strict=True)]
        cubes.append(np.ascontiguousarray(volume[tuple(slice(f, f + CUBE) for f in first)], np.float32))
    return cubes


def torchscript_features(path: Path) -> NamedFeatures:
    """Return the features of a TorchScript module of the user's.

    It is called with one whole volume ``(1, 1, z, y, x)`` in shares of the data range, float32 on the CPU,
    and answers with features ``(n, d)``, one row an item: how a volume becomes items is its own.

    TorchScript, and not the archives of torch.export (.pt2): reading those unpickles what they say is to be
    unpickled (``torch.export.pt2_archive`` of torch 2.13), which runs any code in the file. TorchScript is
    parsed in C++ and calls operations of PyTorch only; as some of them write files, take it from those you
    trust all the same.

    Raises
    ------
    SettingsError
        If the file is not there, or not a TorchScript module; when called, if the answer is not ``(n, d)``.
    """
    import torch

    accepted = "accepted are none, default, the folder of a segmentation bundle, or a TorchScript file"
    if not path.is_file():
        raise SettingsError(f"features: {path} does not exist; {accepted}")
    try:
        with warnings.catch_warnings():  # deprecated in favour of torch.export, which unpickles
            warnings.filterwarnings("ignore", r".*torch\.jit", DeprecationWarning)
            module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        reason = next(iter(str(error).splitlines()), "")
        raise SettingsError(
            f"features: {path} is no TorchScript module of torch.jit.save ({reason}); {accepted}; archives "
            "of torch.export (.pt2) and pickled modules are not, as reading them can run any code"
        ) from error

    def extract(volume: FloatArray) -> FloatArray:
        x = torch.from_numpy(np.ascontiguousarray(volume, np.float32))[None, None]
        try:
            with torch.inference_mode():
                found = module(x)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise SettingsError(
                f"features: {path.name} cannot take a volume of shape {tuple(x.shape)} ({reason})"
            ) from error
        if not isinstance(found, torch.Tensor) or found.ndim != 2:
            what = f"shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found).__name__
            raise SettingsError(f"features: {path.name} answered with {what}, accepted is a tensor (n, d)")
        return np.asarray(found.float().numpy())

    return NamedFeatures(f"features of {path.name}, given by the user", extract)
