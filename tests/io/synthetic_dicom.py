"""Write small DICOM series, classic or enhanced, and objects that are no image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    RTStructureSetStorage,
    generate_uid,
)


def dicom_grid(affine):
    """Split an affine (column, row, slice) to RAS+ into LPS position, directions, spacing and step."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    unit = lps[:3, :3] / spacing
    return lps[:3, 3], np.concatenate([unit[:, 0], unit[:, 1]]), [spacing[1], spacing[0]], lps[:3, 2]


def _base(sop_class, modality, series_uid):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.Modality = modality
    dataset.SeriesInstanceUID = series_uid
    dataset.SeriesNumber = 7
    dataset.PatientName = "Phantom^Asymmetric"
    return dataset


def _pixels(dataset, stored, bits=16, samples=1):
    stored = np.ascontiguousarray(stored)
    dataset.SamplesPerPixel = samples
    dataset.PhotometricInterpretation = "MONOCHROME2" if samples == 1 else "RGB"
    if samples > 1:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = stored.tobytes()


def write_slices(folder: Path, stored, affine, *, modality="MR", slope=1.0, intercept=0.0, series_uid=None,
                 keep=None, prefix="im", shuffle=True, **tags):  # fmt: skip
    """Write an integer array (column, row, slice) as one file per slice; names do not tell their order.

    ``slope`` and ``intercept`` are one number or one per slice; ``keep`` are the slice numbers to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    position, orientation, spacing, step = dicom_grid(affine)
    count = stored.shape[2]
    uid = series_uid or generate_uid()
    slopes, intercepts = np.broadcast_to(slope, count), np.broadcast_to(intercept, count)
    names = np.random.default_rng(0).permutation(count) if shuffle else np.arange(count)
    for k in range(count) if keep is None else keep:
        dataset = _base(CTImageStorage if modality == "CT" else MRImageStorage, modality, uid)
        dataset.Rows, dataset.Columns = stored.shape[1], stored.shape[0]
        dataset.ImagePositionPatient = [f"{v:.10g}" for v in position + k * step]
        dataset.ImageOrientationPatient = [f"{v:.10g}" for v in orientation]
        dataset.PixelSpacing = [f"{v:.10g}" for v in spacing]
        dataset.SliceThickness = f"{np.linalg.norm(step):.10g}"
        dataset.RescaleSlope, dataset.RescaleIntercept = float(slopes[k]), float(intercepts[k])
        for name, value in tags.items():
            setattr(dataset, name, value)
        _pixels(dataset, stored[:, :, k].T)
        dataset.save_as(folder / f"{prefix}{names[k]:03d}.dcm", enforce_file_format=True)
    return folder


def write_enhanced(path: Path, stored, affine, *, slope=2.0, intercept=5.0, groups=True):
    """Write an integer array (column, row, slice) as one enhanced MR object, frames in reverse order."""
    position, orientation, spacing, step = dicom_grid(affine)
    dataset = _base(EnhancedMRImageStorage, "MR", generate_uid())
    dataset.SeriesDescription = "T2w enhanced"
    dataset.Rows, dataset.Columns = stored.shape[1], stored.shape[0]
    dataset.NumberOfFrames = stored.shape[2]
    measures, turned, values = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [f"{v:.10g}" for v in spacing]
    measures.SliceThickness = 1.0
    turned.ImageOrientationPatient = [f"{v:.10g}" for v in orientation]
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = slope, intercept, "US"
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([turned])
    shared.PixelValueTransformationSequence = Sequence([values])
    frames = []
    for k in reversed(range(stored.shape[2])):
        place, frame = Dataset(), Dataset()
        place.ImagePositionPatient = [f"{v:.10g}" for v in position + k * step]
        frame.PlanePositionSequence = Sequence([place])
        frames.append(frame)
    if groups:
        dataset.SharedFunctionalGroupsSequence = Sequence([shared])
        dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    _pixels(dataset, stored[:, :, ::-1].T)
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_structure_set(path: Path):
    """Write a DICOM object without pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = _base(RTStructureSetStorage, "RTSTRUCT", generate_uid())
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_colour(folder: Path, shape=(6, 5)):
    """Write one RGB slice that calls itself CT."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = _base(CTImageStorage, "CT", generate_uid())
    dataset.Rows, dataset.Columns = shape
    dataset.ImagePositionPatient, dataset.PixelSpacing = [0, 0, 0], [1, 1]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    _pixels(dataset, np.zeros((*shape, 3), np.uint8), bits=8, samples=3)
    dataset.save_as(folder / "rgb.dcm", enforce_file_format=True)
    return folder
