"""The settings of the systems that know the target modality alone."""

from __future__ import annotations

from napari_vol2vol.options import Option

_CORRECTOR = (
    Option(
        "corrections", 1, "of the solver predictor-corrector: Langevin steps after each step, each as costly",
        1, 20,
    ),
    Option(
        "snr", 0.16, "of the solver predictor-corrector: size of a Langevin step", 0.001, 1.0, label="SNR"
    ),
)  # fmt: skip

MIDIFFUSION = (
    Option(
        "agreement", 0.4, "how far each estimate is moved to share information with the source as a whole; "
        "0: not at all, as in the paper", 0.0, 5.0,
    ),
    Option(
        "strength", 1.0, "how far to follow the map of mutual information; 1: as trained, others cost twice",
        0.0, 10.0,
    ),
    *_CORRECTOR,
)  # fmt: skip
SDEDIT = (
    Option(
        "t0", 0.5, "how much noise the source is given: 0 keeps it, 1 forgets it; auto: by its information",
        0.01, 1.0, optional=True, label="Start t0",
    ),
    Option(
        "information", 0.5, "with t0 auto: share of the local mutual information that the noise leaves",
        0.01, 0.99,
    ),
    *_CORRECTOR,
)  # fmt: skip
