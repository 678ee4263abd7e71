"""The settings of the reconstructions, with the values of their papers where these name them."""

from __future__ import annotations

from dataclasses import replace

from napari_vol2vol.options import Option

_START_TIME = Option(
    "start", 0.98, "time at which sampling starts from the classical reconstruction with noise", 0.01, 1.0,
    label="Start T'",
)  # fmt: skip
_MBIR_START_TIME = Option(
    "start", 0.3, "time at which sampling starts from the classical reconstruction with noise (paper: 0.98)",
    0.01, 1.0, label="Start T'",
)  # fmt: skip
_END_TIME = Option(
    "end", 0.008, "last time that the prior is asked at: what is done there is the result", 1e-4, 0.5,
    label="End",
)  # fmt: skip
_MBIR_END_TIME = Option(
    "end", None, "last time that the prior is asked at; auto: 0.008 for CT, 0.01 for MRI", 1e-4, 0.5,
    optional=True, kind=float, label="End",
)  # fmt: skip
_SPACING = Option(
    "spacing",
    3.0,
    "how much times crowd where there is little noise; 1: evenly spaced, as in the paper",
    0.1,
    10.0,
)
_CG_STEPS = Option(
    "cg_steps", 5, "steps of conjugate gradients at each sampling step", 1, 200, label="CG steps"
)
_GAMMA = Option(
    "gamma", None,
    "pull towards the prior against the measurement; auto: from the noise (unknown: 0 for CT, 0.2 for MRI)",
    0, 100, optional=True, kind=float, label="γ",
)  # fmt: skip
_MBIR_GAMMA = Option(
    "gamma", None, "further pull towards the prior; auto: none for CT, from the noise for MRI", 0, 100,
    optional=True, kind=float, label="γ",
)  # fmt: skip
_TV_WEIGHT = Option(
    "tv_weight", None, "of the total variation, for an image from 0 to 1; auto: tuned for CT or MRI", 0, 10,
    optional=True, kind=float, label="TV weight",
)  # fmt: skip
_TV_PENALTY = Option(
    "tv_penalty", None, "of ADMM, which changes its speed; auto: tuned for CT or MRI", 1e-7, 100,
    optional=True, kind=float, label="ADMM ρ",
)  # fmt: skip
_MBIR_CG_STEPS = Option(
    "cg_steps", 5, "steps of conjugate gradients in each iteration of ADMM", 1, 200, label="CG steps"
)
_ADMM_STEPS = Option(
    "admm_steps", 5, "iterations of ADMM at each sampling step (5 in the paper)", 1, 100, label="ADMM steps"
)
_NONNEGATIVE = Option(
    "nonnegative", "auto", "auto: no attenuation and no magnitude below 0 (complex images: no such limit)",
    choices=("auto", "no"),
)  # fmt: skip
_RMS = Option(
    "rms", None, "brightness that the prior sees the image at, 1: that of its training; auto: as it is", 0.01,
    100, optional=True, kind=float, label="Brightness",
)  # fmt: skip
_MBIR_RMS = replace(_RMS, default=1.0)
_TURNING = Option(
    "turning", "no", "random: the prior sees the slices mirrored and turned, anew at each step",
    choices=("no", "random"),
)  # fmt: skip
_MBIR_TURNING = replace(_TURNING, default="random")
_RANK = Option("rank", 4, "rank of the low-rank change of each layer", 1, 256)
_LAYERS = Option("layers", "blocks", "layers that adapt", choices=("blocks", "all"))
_RATE = Option(
    "learning_rate", 2e-4, "of AdamW, which begins anew at each step (1e-3 overfits small priors)", 1e-7, 1.0
)
_ITERATIONS = Option("iterations", 2, "optimiser steps at each sampling step", 1, 1000)
_SLICES = Option(
    "slices", 6, "slices drawn for each optimiser step (6 in the paper, 3 with several coils)", 1, 256,
    label="Slices K",
)  # fmt: skip
_HORIZON = Option(
    "horizon",
    0.04,
    "ζ: weights adapt for times from ζ to 1 - ζ only",
    0.0,
    0.499,
    label="Horizon ζ",
)
_RELEASE = Option(
    "release",
    0.2,
    "time below which the prior is the bundle's own again; 0: never, as in the paper",
    0.0,
    1.0,
)
_LOSS_STEPS = Option(
    "loss_admm_steps", 1, "iterations of ADMM inside the loss of the adaptation", 1, 100,
    label="ADMM in the loss",
)  # fmt: skip

#: Of systems that adapt: whether the fixed prior runs beside them, from the same noise.
COMPARE = Option(
    "compare",
    "none",
    "fixed: run the prior without adaptation too, from the same noise",
    choices=("none", "fixed"),
)

_LOW_RANK = (_RANK, _LAYERS, _RATE, _ITERATIONS, _HORIZON, _RELEASE)

FBP = (
    Option(
        "window", "ramp", "attenuation of high frequencies",
        choices=("ramp", "shepp-logan", "cosine", "hamming", "hann"),
    ),
)  # fmt: skip
SENSE = (
    Option("cg_steps", 30, "steps of conjugate gradients; fewer are smoother", 1, 1000, label="CG steps"),
    Option("weight", 0.0, "of the squared image, against noise", 0, 10),
)
ADMM_TV = (
    _TV_WEIGHT,
    _TV_PENALTY,
    Option("admm_steps", 100, "iterations of ADMM", 1, 1000, label="ADMM steps"),
    _CG_STEPS,
    _NONNEGATIVE,
)
SEEN = (_RMS, _TURNING)
START = (_START_TIME, _END_TIME, _SPACING)
DDNM = (*START, *SEEN)
DPS = (
    Option("strength", 1.0, "of the gradient", 0, 100),
    Option("prior_variance", 1.0, "variance of the prior that sets the size of a step", 0, 100),
    *SEEN,
)
DDS = (*START, _CG_STEPS, _GAMMA, *SEEN)
MBIR = (
    _MBIR_START_TIME,
    _MBIR_END_TIME,
    _SPACING,
    _TV_WEIGHT,
    _TV_PENALTY,
    _ADMM_STEPS,
    _MBIR_CG_STEPS,
    _MBIR_GAMMA,
    _NONNEGATIVE,
    _MBIR_RMS,
    _MBIR_TURNING,
)
SCD = (*DDS, *_LOW_RANK)
DDIP = SCD
D3IP = (*DDS, *_LOW_RANK, _SLICES)
D3IP_MBIR = (*MBIR, _LOSS_STEPS, *_LOW_RANK, _SLICES)
D3IP_META = (
    *D3IP,
    Option("meta_first", 1.0, "share of each meta step at the first time", 0.01, 1.0),
    Option("meta_last", 0.5, "share of each meta step at the last time", 0.01, 1.0),
    Option("fine_iterations", 2, "optimiser steps of the fine-tuning, at each step of each slice", 1, 1000),
)
