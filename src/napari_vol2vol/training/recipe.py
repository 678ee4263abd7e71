"""A recipe: everything that makes a bundle, in one YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.velocity import velocity_config
from napari_vol2vol.training.pool import PoolSettings
from napari_vol2vol.training.trainer import LoopSettings

#: Kinds of network a recipe can train: 2D planes, 3D fusion, 3D regression, 3D diffusion, 2D planes of a
#: Schroedinger bridge, 2D regression, 2D and 3D conditional GAN, 3D segmentation, 2D flow, its 3D fusion, 2D
#: regression and 2D diffusion between the phases of CT, unconditional 2D prior, 2D model of one modality
#: guided by mutual information, CycleGAN, and ensembles, which train nothing.
STAGES = (
    "planes", "fusion", "regression", "volume", "bridge", "regression-2d", "gan-2d", "gan-3d", "segmentation",
    "flow", "flow-fusion", "ct-regression", "ct-diffusion", "prior", "guided-score", "cycle-gan", "ensemble",
)  # fmt: skip
#: Stages whose recipes name their network (`networks.velocity`), which may see the source.
NAMED_NETWORK = ("flow", "ct-regression")
Section = TypeVar("Section")
_FOLDER = resources.files("napari_vol2vol.training") / "recipes"


@dataclass(frozen=True)
class Diffusion:
    """What is diffused and how; ``what`` is ``residual`` (over the smooth inverse) or ``image``.

    Training draws t from a density in proportion to ``t ** early``: 0 is uniform, 1 spends more on the first
    steps of a run, which decide the most. A flow draws a share ``ends`` of its times from {0, 1}, where
    solvers of one step look, and the others uniformly; its ``loss`` is ``mse`` (the paper's) or ``l1``, with
    which it learns the median velocity. A flow that sees its source draws the end where its source lies
    instead of either end. In a share ``own`` of its draws, x_t is where the network's own Euler step leads,
    as the second call of RK2 meets it. A share ``twice`` starts at the source and learns from both calls of
    RK2, and with weight ``mean`` from the mean of both, which is what RK2 goes by. A share ``removal`` of all
    draws starts from the contrast scan.
    """

    what: str = "residual"
    prediction: str = "v"
    schedule: str = "vp_cosine"
    schedule_parameters: Mapping[str, float] = field(default_factory=dict)
    early: float = 0.0
    ends: float = 0.0
    loss: str = "mse"
    own: float = 0.0
    twice: float = 0.0
    mean: float = 0.0
    removal: float = 0.5


@dataclass(frozen=True)
class Adversarial:
    """The other half of a GAN (pix2pix, Isola et al. 2017): weight of the L1 loss, and the discriminator.

    Its ``channels`` and ``layers`` are those of `monai.networks.nets.PatchDiscriminator`; three layers judge
    patches of 70 voxels, two of 34. ``lr`` and ``betas`` are Adam's.
    """

    l1: float = 100.0
    channels: int = 32
    layers: int = 3
    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)


@dataclass(frozen=True)
class Guidance:
    """How a model of one modality is told of a source that it will never have seen (MIDiffusion).

    ``window``, ``shifts``, ``levels`` and ``bandwidth`` are those of
    `networks.local_mutual_information.WindowSettings`. In a share ``remapped`` of the images the source is
    the image itself under a random curve of intensities, as if it were of another contrast, else the image;
    in a share ``unguided`` the network is told nothing, so that it serves without a source too.
    """

    window: int = 5
    shifts: int = 3
    levels: int = 6
    bandwidth: float = 0.4
    remapped: float = 0.75
    unguided: float = 0.15


@dataclass(frozen=True)
class Phase:
    """One phase of a 3D stage: cubes of ``crop`` voxels, ``batch`` a step, for a share of the steps."""

    crop: int
    batch: int
    steps: int


@dataclass(frozen=True)
class Recipe:
    """See `src/napari_vol2vol/training/recipes/*.yaml` for the shipped ones.

    ``inputs`` names the conditions in channel order: ``base`` (the smooth inverse of block averages) or a
    modality. ``consecutive`` is the number of slices a plane network sees at once (2.5D above 1).
    ``start`` names a bundle whose weights training starts from: the same network, or for a fusion a 3D
    regression of the same preset. ``start_share`` is the share of its weights in the bundle, the other part
    are those that were trained: what lies between both keeps more of what the start did well far from the
    training (WiSE-FT, Wortsman et al. 2022); for a flow or its regression.
    ``branches`` lists (bundle, plane) of a fusion; empty: the ``planes`` of ``plane_recipe``. ``inject`` and
    ``alignment`` switch the merging of 2D features, ``phases`` patch pre-training and whole volumes, and
    ``consistency`` the projection in the validation. ``images`` names what a prior is trained on and
    ``channels`` says whether real (1) or complex (2); ``modality`` what its bundle may be used for.
    ``network`` is that of a flow or of its regression (`networks.velocity`), which ``preset`` then sizes;
    ``source_slices`` are the consecutive slices of the source that it sees beside x_t (0: none).
    """

    name: str
    stage: str
    title: str = ""
    task: str = "super-resolution"
    systems: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("base",)
    target: str = "T1w"
    modality: tuple[str, ...] = ()
    limits: str = ""
    seed: int = 0
    factor: tuple[int, int, int] = (4, 4, 4)
    train: tuple[str, ...] = ()
    validate: tuple[str, ...] = ()
    preset: str = "compact"
    network: str = "time-resnet"
    planes: tuple[str, ...] = ("axial", "sagittal")
    crop: int = 96
    batch: int = 16
    consecutive: int = 1
    source_slices: int = 0
    inject: bool = True
    alignment: str = "mlp"
    plane_recipe: str | None = None
    start: str | None = None
    start_share: float = 0.0
    branches: tuple[tuple[str, str], ...] = ()
    images: str = ""
    channels: int = 1
    phases: tuple[Phase, ...] = ()
    default_steps: int = 12
    consistency: bool = True
    diffusion: Diffusion = field(default_factory=Diffusion)
    adversarial: Adversarial = field(default_factory=Adversarial)
    guidance: Guidance = field(default_factory=Guidance)
    pool: PoolSettings = field(default_factory=PoolSettings)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(steps=1000))

    @property
    def multiple(self) -> int:
        """What the edges of crops must be divisible by, where the recipe names its network; else 1."""
        if self.stage not in NAMED_NETWORK:
            return 1
        return velocity_config(self.network, self.preset).multiple

    def dry(self) -> Recipe:
        """Return the same recipe cut down to seconds: procedural heads only, a few steps, small crops."""
        small = max(16, self.multiple)
        return replace(
            self,
            train=(),
            validate=(),
            crop=small,
            batch=2,
            phases=tuple(Phase(small, 1, 1) for _ in self.phases),
            adversarial=replace(self.adversarial, layers=2),
            pool=replace(
                self.pool,
                entries=1,
                crop=32,
                phantom_share=1.0,
                phantom_anatomies=1,
                phantom_shape=(40, 40, 40),
                renew_every=10**9,
            ),
            loop=replace(self.loop, steps=max(2, len(self.phases)), validate_every=10**9),
        )


def _section(kind: type[Section], values: Mapping[str, Any], where: str) -> Section:
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(values) - known):
        raise SettingsError(
            f"{where}: unknown fields {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        )
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def shipped_recipes() -> tuple[str, ...]:
    """Return the names of the recipes in this package."""
    return tuple(sorted(f.name[:-5] for f in _FOLDER.iterdir() if f.name.endswith(".yaml")))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe by the name of a shipped one or from a YAML file.

    A recipe that says ``extends: NAME`` is the shipped recipe of that name but for what it gives itself; of
    its sections, field by field.

    Raises
    ------
    SettingsError
        If it, or what it extends, does not exist or has unknown fields; the message names them.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        text = _shipped_text(str(name_or_path), "recipe", " (or a .yaml file)")
    elif path.exists():
        text = path.read_text()
    else:
        raise SettingsError(f"recipe: {path} does not exist")
    values = _extended(yaml.safe_load(text))
    sections = {
        "diffusion": Diffusion,
        "adversarial": Adversarial,
        "guidance": Guidance,
        "pool": PoolSettings,
        "loop": LoopSettings,
    }
    for key, kind in sections.items():
        if key in values:
            values[key] = _section(kind, values[key], f"recipe section {key}")
    values["phases"] = [_section(Phase, p, "recipe section phases") for p in values.get("phases", [])]
    recipe = _section(Recipe, values, "recipe")
    if recipe.stage not in STAGES:
        raise SettingsError(f"recipe stage: found {recipe.stage!r}, accepted are {', '.join(STAGES)}")
    if recipe.consecutive < 1 or recipe.consecutive % 2 == 0:
        raise SettingsError(f"recipe consecutive: found {recipe.consecutive}, accepted are odd numbers")
    if "network" in values and recipe.stage not in NAMED_NETWORK:
        raise SettingsError(f"recipe network: found {recipe.network!r}, stage {recipe.stage} accepts none")
    if recipe.crop % (multiple := recipe.multiple):
        raise SettingsError(
            f"recipe crop: found {recipe.crop}, network {recipe.network} {recipe.preset} accepts multiples "
            f"of {multiple}"
        )
    _check_source_slices(recipe)
    _check_start_share(recipe)
    if not 0 <= recipe.diffusion.ends <= 1:
        raise SettingsError(f"recipe diffusion: ends: found {recipe.diffusion.ends}, accepted are 0 to 1")
    if recipe.diffusion.loss not in ("mse", "l1"):
        raise SettingsError(f"recipe diffusion: loss: found {recipe.diffusion.loss!r}, accepted are mse, l1")
    if not recipe.systems:
        raise SettingsError("recipe systems: found none, accepted are the names that its bundle serves")
    return replace(recipe, branches=tuple((bundle, plane) for bundle, plane in recipe.branches))


def _shipped_text(name: str, where: str, also: str = "") -> str:
    if name not in (shipped := shipped_recipes()):
        raise SettingsError(f"{where}: found {name!r}, shipped are {', '.join(shipped)}{also}")
    return (_FOLDER / f"{name}.yaml").read_text()


def _extended(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a recipe with those of the recipe that it extends below them."""
    if "extends" not in values:
        return values
    own = {key: value for key, value in values.items() if key != "extends"}
    below = _extended(yaml.safe_load(_shipped_text(values["extends"], "recipe extends")))
    for key, value in own.items():
        both = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        below[key] = {**below[key], **value} if both else value
    return below


def _check_start_share(recipe: Recipe) -> None:
    most = 1 if recipe.start and recipe.stage in NAMED_NETWORK else 0
    if not 0 <= recipe.start_share <= most:
        raise SettingsError(
            f"recipe start_share: found {recipe.start_share}, accepted are 0 to 1 with start in the stages "
            f"{' and '.join(NAMED_NETWORK)}, else 0"
        )


def _check_source_slices(recipe: Recipe) -> None:
    count = recipe.source_slices
    if count and recipe.stage not in NAMED_NETWORK:
        raise SettingsError(f"recipe source_slices: found {count}, stage {recipe.stage} accepts none")
    if count < 0 or (count and count % 2 == 0):
        raise SettingsError(f"recipe source_slices: found {count}, accepted are 0 and odd numbers")
    if not 0 <= recipe.diffusion.removal <= 1:
        raise SettingsError(
            f"recipe diffusion: removal: found {recipe.diffusion.removal}, accepted are 0 to 1"
        )
    for name in ("own", "twice"):
        share = getattr(recipe.diffusion, name)
        if not 0 <= share <= (1 if count else 0):
            raise SettingsError(
                f"recipe diffusion: {name}: found {share}, accepted are 0 to 1 with source_slices, else 0"
            )
    if (weight := recipe.diffusion.mean) < 0 or (weight and not recipe.diffusion.twice):
        raise SettingsError(
            f"recipe diffusion: mean: found {weight}, accepted are 0 and, with twice, positive numbers"
        )
