"""Settings of the Gaussian model. Importing this does not import torch."""

from __future__ import annotations

from napari_vol2vol.options import Option

GAUSSIAN = (
    Option("model", "volume", "what it knows of neighbours: in the volume, in one plane only, or the average "
           "of the estimates of the three planes",
           choices=("volume", "planes", "axial", "coronal", "sagittal")),
    Option("length", 8.0, "how far voxels are alike", 0.1, 1000.0, unit="voxels"),
    Option("smoothness", 1.5, "of the Matern spectrum: 0.5 is rough, 2.5 smooth", 0.1, 5.0),
    Option("spread", None, "standard deviation of the prior, -1 and 1 being black and white; auto: the most "
           "likely one given the measurement", 1e-6, 10.0, optional=True, kind=float),
)  # fmt: skip
