"""What was imaged is guessed from names and tags, and left open where they do not tell."""

import pytest
from pydicom.dataset import Dataset

from napari_vol2vol.io.modality import modality_from_dicom, modality_from_name, units_of


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("sub-01_T1w.nii.gz", "T1w"),
        ("sub-01_ses-2_acq-hires_T2w.nii", "T2w"),
        ("sub-01_FLAIR.nii.gz", "FLAIR"),
        ("sub-01_PDw.nii.gz", "PD"),
        ("sub-01_PD.nii.gz", "PD"),
        ("sub-01_ce-gadolinium_T1w.nii.gz", "T1ce"),
        ("BraTS20_Training_001_t1ce.nii.gz", "T1ce"),
        ("BraTS-GLI-00000-000-t1c.nii.gz", "T1ce"),
        ("BraTS-GLI-00000-000-t2f.nii.gz", "FLAIR"),
        ("BraTS20_Training_001_flair.nii.gz", "FLAIR"),
        ("AX T2 FLAIR", "FLAIR"),
        ("t2_flair_sag.nii", "FLAIR"),
        ("lung_ct.nii.gz", "CT"),
        ("sub-01_bold.nii.gz", None),
        ("act1.nii", None),
        ("T2star.nii.gz", None),
    ],
)
def test_names(name, modality):
    assert modality_from_name(name) == modality


@pytest.mark.parametrize(
    ("tags", "modality"),
    [
        ({"Modality": "CT"}, "CT"),
        ({"ScanningSequence": "SE", "EchoTime": 12, "RepetitionTime": 600}, "T1w"),
        (
            {
                "ScanningSequence": "SE",
                "EchoTime": 99,
                "RepetitionTime": 6000,
                "SeriesDescription": "T2 and PD",
            },
            "T2w",
        ),
        ({"ScanningSequence": "SE", "EchoTime": 17, "RepetitionTime": 5000}, "PD"),
        (
            {
                "ScanningSequence": ["SE", "IR"],
                "EchoTime": 120,
                "RepetitionTime": 9000,
                "InversionTime": 2500,
            },
            "FLAIR",
        ),
        (
            {"ScanningSequence": ["GR", "IR"], "EchoTime": 3, "RepetitionTime": 2300, "InversionTime": 900},
            "T1w",
        ),
        ({"ScanningSequence": "GR", "EchoTime": 20, "RepetitionTime": 650}, None),
        ({"SeriesDescription": "t1_mprage_sag"}, "T1w"),
        ({"SeriesDescription": "t1_mprage_sag", "ContrastBolusAgent": "20CC GAD"}, "T1ce"),
        ({"SeriesDescription": "t1_mprage_sag", "ContrastBolusAgent": "NONE"}, "T1w"),
        ({"ProtocolName": "FLAIR"}, "FLAIR"),
        ({"SeriesDescription": "localizer"}, None),
    ],
)
def test_tags(tags, modality):
    dataset = Dataset()
    dataset.Modality = "MR"
    for name, value in tags.items():
        setattr(dataset, name, value)
    assert modality_from_dicom(dataset) == modality


def test_only_ct_has_hounsfield_units():
    assert [units_of(m) for m in ("CT", "T1w", None)] == ["HU", "a.u.", "a.u."]
