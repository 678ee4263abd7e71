"""Cartesian k-space from the acquisitions of an ISMRMRD file (Inati et al. 2017)."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError

GROUP = "dataset"
_NOISE = 1 << 18  # ACQ_IS_NOISE_MEASUREMENT, the 19th flag
#: Counters that must stay at zero: several images in one file are not taken apart.
_SINGLE = ("contrast", "phase", "repetition", "set")


def is_ismrmrd(file: Any) -> bool:
    """Whether an open HDF5 file holds acquisitions instead of an array."""
    return (
        GROUP in file
        and "data" in file[GROUP]
        and getattr(file[GROUP]["data"].dtype, "names", None) is not None
    )


def read_acquisitions(file: Any, name: str) -> NDArray[np.complex64]:
    """Return k-space `(coils, D, H, W)`: slices or the second encoding, the first encoding, the readout.

    Lines measured several times are averaged, places not measured stay zero, noise scans are left out.

    Raises
    ------
    VolumeError
        If there is no acquisition, lines differ in length or coils, or the file holds several images.
    """
    lines = [line for line in file[GROUP]["data"][:] if not int(line["head"]["flags"]) & _NOISE]
    if not lines:
        raise VolumeError(
            f"{name}: found no acquisition but noise, accepted is an ISMRMRD file with k-space lines"
        )
    heads = [line["head"] for line in lines]
    sizes = {(int(h["active_channels"]), int(h["number_of_samples"])) for h in heads}
    several = [field for field in _SINGLE if max(int(h["idx"][field]) for h in heads) > 0]
    if len(sizes) != 1 or several:
        raise VolumeError(
            f"{name}: found lines of (coils, samples) {sorted(sizes)} and several of {several or 'nothing'}, "
            "accepted is one Cartesian image with lines of one length"
        )
    (coils, samples) = sizes.pop()
    rows, first = _encoded_rows(file[GROUP])
    places = [(z, y + first) for z, y in (_place(h["idx"]) for h in heads)]
    depth, height = (max(axis) + 1 for axis in zip(*places, strict=True))
    height = max(height, rows)
    kspace = np.zeros((coils, depth, height, samples), np.complex64)
    times = np.zeros((depth, height), np.float32)
    for line, (z, y) in zip(lines, places, strict=True):
        values = np.asarray(line["data"], np.float32).reshape(coils, samples, 2)
        kspace[:, z, y] += values[..., 0] + 1j * values[..., 1]
        times[z, y] += 1
    return np.asarray(kspace / np.maximum(times, 1)[..., None], np.complex64)


def _encoded_rows(group: Any) -> tuple[int, int]:
    """Return the rows that the header states, and the row of counter 0 when the centre is in the middle."""
    if "xml" not in group:
        return 0, 0
    text = group["xml"][0]
    root = ElementTree.fromstring(text.decode() if isinstance(text, bytes) else text)
    space = {"i": root.tag.partition("}")[0].strip("{")} if root.tag.startswith("{") else {"i": ""}
    rows = root.findtext(".//i:encodedSpace/i:matrixSize/i:y", namespaces=space)
    centre = root.findtext(".//i:kspace_encoding_step_1/i:center", namespaces=space)
    if rows is None:
        return 0, 0
    return int(rows), max(0, int(rows) // 2 - int(centre)) if centre is not None else 0


def _place(idx: Any) -> tuple[int, int]:
    second, first = int(idx["kspace_encode_step_2"]), int(idx["kspace_encode_step_1"])
    return (second or int(idx["slice"])), first
