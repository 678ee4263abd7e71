"""Suites of seconds: tiny bundles, a small head, two steps."""

from __future__ import annotations

from pathlib import Path

from torch import manual_seed

from napari_vol2vol.evaluation.cases import load_cases
from napari_vol2vol.evaluation.compare import compare
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.suite_entries import Phantom, SystemEntry, View, VolumeEntry
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.recipe import Diffusion, Recipe
from tiny_bundles import PLANE, SCALE, stirred

SYSTEMS = (
    SystemEntry("trilinear"),
    SystemEntry("smooth-inverse"),
    SystemEntry("tpdm", steps=2),
    SystemEntry("palette", steps=2),
)


def small_suite(folder: Path, **changes) -> Suite:
    """Two blocks of 16 voxels of the head in ``folder/head.nii.gz``, in float32 on the CPU."""
    values = {
        "name": "small", "task": "super-resolution", "target": "T1w", "samples": 2, "block": 16,
        "volumes": tuple(VolumeEntry(name, {"T1w": "head.nii.gz"}) for name in ("one", "two")),
        "systems": SYSTEMS, "baseline": "trilinear", "device": "cpu", "precision": "float32",
        "view": View(zoom_size=8), "folder": folder,
    }  # fmt: skip
    return Suite(**(values | changes))


def translation_suite(**changes) -> Suite:
    """From T1ce to FLAIR on one small procedural head, with the bundle of `make_translation_bundle`."""
    phantom = Phantom(910001, (40, 40, 40), contrasts=("T1ce", "FLAIR"))
    values = {
        "name": "translation", "task": "modality-translation", "target": "FLAIR", "inputs": ("T1ce",),
        "systems": (SystemEntry("identity"), SystemEntry("tpdm", steps=2)), "block": 24,
        "volumes": (VolumeEntry("head", phantom=phantom),), "samples": 2, "device": "cpu",
        "precision": "float32",
    }  # fmt: skip
    return Suite(**(values | changes))


def make_translation_bundle(folder: Path, name: str = "mt-flair", **changes) -> Path:
    """Write a tiny bundle of plane networks from T1ce to FLAIR."""
    values = {
        "task": "modality-translation", "systems": ("tpdm", "palette"), "inputs": ("T1ce",),
        "target": "FLAIR", "factor": (1, 1, 1), "diffusion": Diffusion("image"),
    }  # fmt: skip
    recipe = Recipe(name, "planes", **(values | changes))
    manual_seed(0)
    return export_bundle(
        recipe, stirred(UNet(PLANE)), PLANE, folder / name, scale=SCALE, steps=0, seconds=0.0, requires={}
    )


def no_fetched(names):
    raise AssertionError(f"no suite here needs fetched volumes, found {names}")


def run(suite: Suite, output: Path):
    """Return the cases and all rows of a suite."""
    cases = list(load_cases(suite, no_fetched))
    return cases, list(compare(suite, cases, output))
