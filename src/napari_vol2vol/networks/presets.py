"""Named network sizes: the paper's and the ones that suit a CPU."""

from __future__ import annotations

from dataclasses import replace

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.unet import UNetConfig

PLANE_LABELS = 3  # axial, coronal, sagittal


def plane_unet(preset: str, conditions: int = 1, consecutive: int = 1) -> UNetConfig:
    """Return the 2D network of a preset for x_t and ``conditions`` conditions of ``consecutive`` slices.

    ``paper`` is table 11 of Score-Fusion; ``compact`` keeps wide channels at half resolution, which is what a
    CPU runs fastest (measured by `vol2vol bench`), and one set of weights for all planes.
    """
    inputs = consecutive * (1 + conditions)
    if preset == "paper":
        return UNetConfig(
            2,
            inputs,
            1,
            (64, 128, 256, 512),
            (2, 2, 2, 3),
            (2, 2, 2, 2),
            middle_blocks=2,
            convs_per_block=3,
        )
    if preset == "paper-small":
        return UNetConfig(2, inputs, 1, (32, 64, 128, 256), (2, 2, 2, 2), (2, 2, 2, 2))
    if preset == "compact":
        return UNetConfig(2, inputs, 1, (64, 96, 128), (1, 2, 2), (1, 1, 1), stem=2, labels=PLANE_LABELS)
    if preset == "compact-slim":
        return UNetConfig(2, inputs, 1, (48, 64, 80), (1, 1, 1), (1, 1, 1), stem=2, labels=PLANE_LABELS)
    raise SettingsError(
        f"2D network preset: found {preset!r}, accepted are paper, paper-small, compact, compact-slim"
    )


def prior_network(preset: str, channels: int = 1) -> UNetConfig:
    """Return the unconditional 2D network of a preset for real (1 channel) or complex (2) images.

    ``paper`` is the ADM that SCD and DDIP adapt: 256 channels times 1, 1, 2, 2, 4, 4, one residual block a
    level, attention at 16 x 16 (of 256 x 256) and in the middle; ``paper-small`` has a quarter of the
    channels. The compact ones are those of `plane_unet`.

    Raises
    ------
    SettingsError
        For an unknown preset or another number of channels.
    """
    if channels not in (1, 2):
        raise SettingsError(f"channels: found {channels}, accepted are 1 (real) and 2 (complex)")
    if preset == "paper":
        return UNetConfig(
            2, channels, channels, (256, 256, 512, 512, 1024, 1024), (1,) * 6, (2,) * 6, embedding=1024,
            attention=(4,),
        )  # fmt: skip
    if preset == "paper-small":
        return UNetConfig(
            2, channels, channels, (64, 64, 128, 128, 256, 256), (1,) * 6, (2,) * 6, attention=(4,)
        )
    if preset not in ("compact", "compact-slim"):
        raise SettingsError(
            f"prior preset: found {preset!r}, accepted are paper, paper-small, compact, compact-slim"
        )
    config = plane_unet(preset, conditions=0)
    return replace(config, in_channels=channels, out_channels=channels, labels=0)


def fusion_unet(
    preset: str, conditions: int = 1, branches: int = 2, inject: tuple[int, ...] = ()
) -> UNetConfig:
    """Return the 3D fusion network of a preset: x_t, conditions and one prediction a branch in, w and R out.

    ``paper`` and ``paper-small`` are tables 12 and 13 of Score-Fusion; the small ones inject no 2D features.
    ``inject`` gives the summed width of the 2D features per level.
    """
    inputs, outputs = 1 + conditions + branches, branches
    if preset == "paper":
        return UNetConfig(
            3, inputs, outputs, (64, 128, 192, 256), (2, 2, 2, 3), (2, 2, 2, 2), middle_blocks=2,
            inject_channels=inject, checkpoint=True,
        )  # fmt: skip
    if preset == "paper-small":
        return UNetConfig(3, inputs, outputs, (32, 64, 64, 128), (2, 2, 2, 3), (2, 2, 2, 2), checkpoint=True)
    if preset == "compact":
        return UNetConfig(3, inputs, outputs, (64, 128), (1, 2), (1, 2), stem=2, inject_channels=inject)
    if preset == "compact-small":
        return UNetConfig(3, inputs, outputs, (48, 64), (1, 1), (1, 1), stem=2)
    if preset == "compact-slim":
        return UNetConfig(3, inputs, outputs, (32, 64), (1, 1), (1, 1), stem=2, inject_channels=inject)
    raise SettingsError(
        f"3D network preset: found {preset!r}, accepted are paper, paper-small, compact, compact-small, "
        "compact-slim"
    )
