"""Every leak is planted in the generated arm once: the audit finds it, and blinded copies are free of it."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.io import write_volume
from napari_vol2vol.study.audit import audit_trials, audit_volumes, reds
from napari_vol2vol.study.design import Arm, Block, Case, Harmonise, Item, Reader, Study, VolumeFile
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.freeze import audit_sources, freeze
from napari_vol2vol.study.plan import draw_codes, plan
from napari_vol2vol.study.traits import measure
from napari_vol2vol.volume import Volume
from study.small_studies import PAIR, WHICH, sphere, write_case

CASES = 6


def rewritten(path, change=None, header=None, **more):
    """Write a volume again as int16 after a change of its data, its header or its image."""
    image = nib.load(path)
    data = np.asarray(image.dataobj, np.float32)
    affine = more.get("affine", image.affine)
    new = nib.Nifti1Image(
        (data if change is None else change(data)).astype(more.get("dtype", np.float32)), affine
    )
    new.header.set_sform(affine, 2)
    new.header.set_qform(affine, 2)
    for name, value in (header or {}).items():
        new.header[name] = value
    nib.save(new, more.get("to", path))


def planted(leak, path, seed):  # noqa: C901 (a list of cases)
    """Give one generated volume a leak; return its path."""
    rng = np.random.default_rng(seed)
    if leak == "file and layer names":
        return path.rename(path.with_name(f"sample_synthetic_{seed}.nii"))
    if leak == "path":
        path.parent.with_name("fake").mkdir(exist_ok=True)
        return path.rename(path.parent.with_name("fake") / path.name)
    if leak == "header texts":
        rewritten(path, header={"descrip": b"AI-generated"})
    elif leak == "dtype":
        rewritten(path, dtype=np.int16)
    elif leak == "integer or fractional values":
        rewritten(path, lambda d: np.where(d > 0, d + 0.25 * rng.random(d.shape), d))
    elif leak == "affine":
        rewritten(path, affine=np.diag([1, 1, 1, 1]) + np.eye(4, k=3) * 0.5)
    elif leak == "field of view":
        rewritten(path, affine=np.diag([1.01, 1, 1, 1]))
    elif leak == "shape":
        rewritten(path, lambda d: d[:-1])
    elif leak == "padding":
        noisy = path.with_name(path.name.replace("-1", "-0"))
        for file, width in ((noisy, 0), (path, 2)):  # both arms with noise in the air, one cut off at its rim
            rewritten(file, lambda d: d + np.where(d == 0, np.rint(3 * rng.random(d.shape)), 0))
            rewritten(file, lambda d, w=width: np.pad(d[tuple(slice(w, n - w) for n in d.shape)], w))
    elif leak == "air and table noise":
        rewritten(path, lambda d: d + np.where(d == 0, np.rint(3 * rng.random(d.shape)), 0))
    elif leak == "lowest value":
        rewritten(path, lambda d: np.where(d == 0, -3, d))
    elif leak == "highest value":
        rewritten(path, lambda d: np.where(d == d.max(), d.max() + 400, d))
    elif leak == "bytes on disk":
        rewritten(path, to=path.with_suffix(".nii.gz"))
        return path.with_suffix(".nii.gz")
    return path


def study_with(folder, leak, arms=PAIR):
    cases = []
    for n in range(CASES):
        case = write_case(folder, f"c{n}", n, arms)
        path = planted(leak, folder / case.volumes["generated"].path, n) if leak else None
        if path:
            case = replace(case, volumes=dict(case.volumes) | {"generated": VolumeFile(str(path))})
        cases.append(case)
    items = tuple(Item(case.name, arms) for case in cases)
    return Study("leaky", tuple(Arm(a) for a in arms), tuple(cases), (Reader("R1"),), (WHICH,),
                 (Block("pairs", items, ("which",)),), seed=1)  # fmt: skip


LEAKS = (
    "file and layer names", "path", "header texts", "dtype", "integer or fractional values", "affine",
    "field of view", "shape", "padding", "air and table noise", "lowest value", "highest value",
    "bytes on disk",
)  # fmt: skip


def test_volumes_that_differ_only_in_their_patients_are_not_red(tmp_path):
    findings = audit_sources(study_with(tmp_path, None), tmp_path)
    assert reds([f for f in findings if f.leak not in ("highest value", "lowest value")]) == []
    assert {f.leak for f in findings} >= {*LEAKS, "load time"}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_red_before_blinding_and_gone_after(tmp_path, leak):
    folder = StudyFolder(tmp_path)
    folder.save(study_with(tmp_path, leak))
    frozen = freeze(folder)
    before = {f.leak: f for f in frozen.before}
    assert before[leak].red, before[leak]
    assert set(before[leak].by_arm) == {*PAIR}
    assert reds(frozen.after) == []


def test_time_to_load_is_compared(tmp_path):
    study = study_with(tmp_path, None)
    traits = [
        replace(measure(tmp_path / file.path, case.name, arm), seconds=0.5 if arm == "generated" else 0.1)
        for case in study.cases
        for arm, file in case.volumes.items()
    ]
    (found,) = [f for f in audit_volumes(traits) if f.leak == "load time"]
    assert found.red
    assert "0.500 s" in found.words


def planned(tmp_path):
    study = study_with(tmp_path, None)
    singles = Block("singles", tuple(Item(c.name, (arm,)) for c in study.cases for arm in PAIR), ("is-it",))
    from study.small_studies import IS_IT

    study = replace(study, blocks=(*study.blocks, singles), questions=(WHICH, IS_IT))
    codes = draw_codes(study)
    return study, codes, plan(study, codes)


def test_a_fair_plan_shows_no_side_and_no_order(tmp_path):
    study, codes, trials = planned(tmp_path)
    assert reds(audit_trials(study, trials, codes)) == []


def test_a_preferred_side_is_red(tmp_path):
    study, codes, trials = planned(tmp_path)
    arm_of = {code: arm for (_, arm), code in codes.items()}
    tampered = {
        reader: tuple(replace(t, volumes=tuple(sorted(t.volumes, key=arm_of.get))) for t in own)
        for reader, own in trials.items()
    }
    side, order = audit_trials(study, tampered, codes)
    assert side.red
    assert "generated on the left in 6 of 6" in side.words
    assert not order.red


def test_an_arm_that_always_comes_first_is_red(tmp_path):
    study, codes, trials = planned(tmp_path)
    arm_of = {code: arm for (_, arm), code in codes.items()}
    tampered = {r: tuple(sorted(own, key=lambda t: arm_of[t.volumes[0]])) for r, own in trials.items()}
    _, order = audit_trials(study, tampered, codes)
    assert order.red
    assert "R1, singles: " in order.words


def test_copies_that_still_leak_are_refused_or_accepted_and_reported(tmp_path):
    from napari_vol2vol.study.json_fields import read_json

    folder = StudyFolder(tmp_path)
    folder.save(study_with(tmp_path, "air and table noise"))
    with pytest.raises(SettingsError, match="air and table noise"):
        freeze(folder, harmonise=False)
    assert not folder.reading.exists()
    freeze(folder, harmonise=False, accept_leaks=True)
    assert any("air and table noise" in leak for leak in read_json(folder.key, "a key")["accepted_leaks"])


def test_single_volumes_of_other_cases_are_compared_by_arm(tmp_path):
    cases = []
    for n in range(12):
        arm = PAIR[n % 2]
        path = tmp_path / f"v{n}.nii"
        write_volume(sphere(n, (20, 22, 24 if arm == "real" else 28)), path)
        cases.append(Case(f"c{n}", {arm: VolumeFile(path.name)}))
    traits = [measure(tmp_path / f.path, c.name, a) for c in cases for a, f in c.volumes.items()]
    found = {f.leak: f.red for f in audit_volumes(traits)}
    assert found["shape"]
    assert found["field of view"]
    assert not found["dtype"]


def test_copies_keep_the_patient_where_he_was_and_ct_in_hounsfield_units(tmp_path):
    from napari_vol2vol.study.blinding import harmonised

    native = sphere(1)
    data = np.where(native.data > 0, native.data - 60, -1000).astype(np.float32)
    data[4, 10, 14] = 900  # one bright voxel on the patient's right
    real = Volume.from_array(data, (2.0, 1.0, 1.0), units="HU", modality="CT", name="one")
    shifted = real.with_data(real.data + 0.3)
    made = harmonised({"real": real, "generated": shifted}, Harmonise())
    for volume in made.values():
        assert np.unravel_index(volume.data.argmax(), volume.shape) == (4, 10, 14)
        assert volume.spacing_mm == (2.0, 1.0, 1.0)
        np.testing.assert_array_equal(volume.data, np.rint(volume.data))
    assert abs(made["real"].data - real.data)[real.data > -500].max() <= 0.5


def test_arms_on_other_grids_come_to_the_grid_of_the_first_and_to_what_both_show(tmp_path):
    from napari_vol2vol.study.blinding import harmonised

    real = sphere(1, (20, 22, 24))
    cut = real.with_data(real.data[2:, :, :-3], affine=real.affine + 2 * np.eye(4)[2][:, None] * np.eye(4)[3])
    made = harmonised({"real": real, "generated": cut}, Harmonise())
    shapes = {volume.shape for volume in made.values()}
    assert shapes == {(18, 22, 21)}
    np.testing.assert_array_equal(made["real"].data, made["generated"].data)
