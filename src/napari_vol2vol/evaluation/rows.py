"""One row of a comparison: the figures of one system on one volume, and the file that keeps them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.io.provenance import as_json
from napari_vol2vol.metrics import (
    ause,
    compare,
    coverage,
    fidelity,
    mean_absolute_calibration_error,
    uncertainty_error_correlation,
)
from napari_vol2vol.metrics.calibration import LEVELS
from napari_vol2vol.metrics.fidelity import PERCENTILE, mean_squared_error, ssim_map
from napari_vol2vol.volume import Volume

#: Every figure against the reference is in shares of this data range: the 99.5th percentile of the reference.
DATA_RANGE = 1.0


@dataclass(frozen=True)
class Row:
    """One system on one volume with one seed; None where a figure does not exist.

    PSNR in dB, MAE and MACE in shares of the data range. ``*_single`` is the mean over the samples of each
    sample's own figure, ``*_std`` their standard deviation (n - 1), ``*_mean`` the figure of the mean of the
    samples; a system without samples has one answer, which is its own mean. ``mutual_information`` is in
    nats, ``ause`` without unit, ``seconds`` per sample and ``seconds_per_step`` without reading weights or
    writing files, ``peak_gib`` of this row where ``peak_is_own``, else of the process so far. ``digest`` is
    the sha256 of everything that decides the figures. ``mae_hu*`` are in HU, of the mean of the samples,
    whole and in regions, where source and result are two phases of a CT. ``mse_single`` (shares squared) and
    ``ssim_source`` (SSIM of each sample to the source, whose own 99.5th percentile is 1) are of modality
    translation, means over the samples.
    """

    digest: str
    volume: str
    system: str
    seed: int
    samples: int
    steps: int
    bundle: str | None
    device: str
    precision: str
    psnr_single: float
    psnr_std: float | None
    ssim_single: float
    ssim_std: float | None
    mae_single: float
    mae_std: float | None
    psnr_mean: float
    ssim_mean: float
    mae_mean: float
    ms_ssim: float | None
    mutual_information: float
    mace: float | None
    coverage_50: float | None
    coverage_68: float | None
    coverage_90: float | None
    coverage_95: float | None
    ause: float | None
    spearman: float | None
    data_residual: float | None
    seconds: float
    seconds_per_step: float
    peak_gib: float
    peak_is_own: bool
    notices: tuple[str, ...] = ()
    mae_hu: float | None = None
    mae_hu_vessels: float | None = None
    mae_hu_organs: float | None = None
    mse_single: float | None = None
    ssim_source: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values; an infinite PSNR is the text ``inf``."""
        return dict(as_json(asdict(self)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a row from `as_dict` output.

        Raises
        ------
        KeyError
            If a field that has no default is missing.
        """
        arguments = {
            f.name: float(values[f.name])
            if str(f.type).startswith("float") and values[f.name] is not None
            else values[f.name]
            for f in fields(cls)
            if f.name in values or f.default is MISSING
        }
        return cls(**arguments | {"notices": tuple(values["notices"])})


def figures_of(
    reference: Volume, samples: Sequence[Volume], mean: Volume, std: Volume | None
) -> dict[str, float | None]:
    """Return the figures of a row that come from arrays.

    Parameters
    ----------
    reference, samples, mean, std : Volume
        On one grid, in shares of the data range; ``std`` (n - 1) only with two or more samples.

    Raises
    ------
    VolumeError
        If the grids differ, or an axis is shorter than the window of SSIM.
    """
    own = [fidelity(sample, reference, data_range=DATA_RANGE) for sample in samples]
    whole = compare(mean, reference, data_range=DATA_RANGE)
    figures: dict[str, float | None] = {}
    for name in ("psnr", "ssim", "mae"):
        values = np.array([getattr(f, name) for f in own])
        figures[f"{name}_single"] = float(values.mean())
        figures[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else None
        figures[f"{name}_mean"] = getattr(whole.fidelity, name)
    figures |= {"ms_ssim": whole.ms_ssim, "mutual_information": whole.mutual_information}
    return figures | _calibration(reference, mean, std, len(samples))


def faithfulness_of(reference: Volume, source: Volume, samples: Sequence[Volume]) -> dict[str, float | None]:
    """Return ``mse_single`` and ``ssim_source`` of samples in shares of the data range (MIDiffusion, 5.3)."""
    scaled = source.with_data(source.data / np.float32(np.percentile(source.data, PERCENTILE)))
    errors = [mean_squared_error(sample.data, reference.data) for sample in samples]
    alike = [float(ssim_map(sample.data, scaled.data, DATA_RANGE).mean()) for sample in samples]
    return {"mse_single": float(np.mean(errors)), "ssim_source": float(np.mean(alike))}


def _calibration(
    reference: Volume, mean: Volume, std: Volume | None, samples: int
) -> dict[str, float | None]:
    names = [f"coverage_{round(100 * level)}" for level in LEVELS]
    if std is None:
        return dict.fromkeys(["mace", *names, "ause", "spearman"])
    shares = coverage(mean.data, std.data, reference.data, LEVELS, samples)
    error = np.abs(reference.data - mean.data)
    ranked = np.ptp(std.data) > 0 and np.ptp(error) > 0  # orders exist
    return {
        "mace": mean_absolute_calibration_error(mean=mean.data, std=std.data, reference=reference.data),
        **dict(zip(names, shares.values(), strict=True)),
        "ause": ause(error, std.data) if ranked else None,
        "spearman": uncertainty_error_correlation(mean.data, std.data, reference.data) if ranked else None,
    }


class Ledger:
    """The rows finished so far, one JSON object a line; a row is on disk before it is told of.

    A last line that a crash has cut short is dropped.

    Raises
    ------
    SettingsError
        If the file holds anything else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[str, Row] = {}
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = text.splitlines()
        for number, line in enumerate(list(lines), start=1):
            try:
                row = Row.from_dict(json.loads(line))
            except json.JSONDecodeError as error:
                if number < len(lines):
                    raise SettingsError(f"{path}: line {number} is not JSON ({error})") from error
                lines.pop()
            except (KeyError, TypeError, ValueError) as error:
                raise SettingsError(
                    f"{path}: line {number} is no row of this version ({error!r}); choose another folder"
                ) from error
            else:
                self._rows[row.digest] = row
        if text and not text.endswith("\n"):
            self._rewrite(lines)

    def get(self, digest: str) -> Row | None:
        """Return the row of these settings, or None."""
        return self._rows.get(digest)

    def append(self, row: Row) -> None:
        """Keep a row, on disk before this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row.as_dict()) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._rows[row.digest] = row

    def _rewrite(self, lines: Sequence[str]) -> None:
        partial = self.path.with_suffix(".partial")
        partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.replace(partial, self.path)


__all__ = ["DATA_RANGE", "Ledger", "Row", "faithfulness_of", "figures_of"]
