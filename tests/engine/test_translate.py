import dataclasses
import json
import threading
import time

import numpy as np
import pytest

from napari_vol2vol.engine import (
    Done,
    Notice,
    Preparing,
    Progress,
    SampleDone,
    SnapshotBox,
    Started,
    Translation,
    estimate,
    translate,
)
from napari_vol2vol.errors import BundleError, OutOfMemoryError, RunError, SettingsError, VolumeError
from napari_vol2vol.io import read_volume
from napari_vol2vol.tasks import get_task

QUICK = Translation(system="tpdm", steps=3, samples=2, precision="float32")


@pytest.fixture(scope="session")
def low(head):
    return get_task("super-resolution").degrade(head)


def run(request, low, **options):
    *events, done = translate(request, low, **options)
    assert isinstance(done, Done)
    return events, done


@pytest.mark.parametrize(
    "system", ["trilinear", "smooth-inverse", "unet-3d", "palette", "tpdm", "score-fusion"]
)
def test_every_system_runs_through_the_same_stream(system, low, head, tiny_bundles):
    events, done = run(dataclasses.replace(QUICK, system=system), low, reference=head)
    kinds = [type(e) for e in events if not isinstance(e, Notice)]
    assert kinds[0] is Preparing
    assert kinds[1] is Started
    assert kinds[-1] is SampleDone
    assert Progress in kinds
    assert done.volumes["mean"].shape == head.shape
    assert done.volumes["mean"].same_grid(head)
    assert done.record["AI-generated"] is True
    if system != "trilinear":
        assert done.metrics["data_residual"] < 1e-5


def test_the_same_seed_gives_the_same_volume_and_another_seed_another(low, tiny_bundles):
    first = run(QUICK, low)[1].volumes["x0"].data
    assert np.array_equal(first, run(QUICK, low)[1].volumes["x0"].data)
    assert np.abs(first - run(dataclasses.replace(QUICK, seed=1), low)[1].volumes["x0"].data).max() > 1e-3


@pytest.mark.parametrize("system", ["tpdm", "score-fusion"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_slice_batch_does_not_change_the_volume(system, precision, low, tiny_bundles):
    results = [
        run(dataclasses.replace(QUICK, system=system, samples=1, precision=precision, slice_batch=n), low)[1]
        for n in (4, 12, 40)
    ]
    reference = results[0].volumes["x0"].data
    scale = float(np.abs(reference).max())
    for other in results[1:]:
        assert np.abs(other.volumes["x0"].data - reference).max() <= 1e-5 * scale


def test_not_pulling_pauses_the_run_and_pulling_again_ends_with_the_same_volume(low, tiny_bundles):
    box = SnapshotBox()
    stream = translate(dataclasses.replace(QUICK, samples=1, steps=6), low, box=box)
    for event in stream:
        if isinstance(event, Progress):
            break
    time.sleep(0.4)  # lets the worker run into the full queue
    box.take()
    time.sleep(0.6)
    assert box.take() is None, "the run went on while nobody pulled"
    *_, done = stream
    whole = run(dataclasses.replace(QUICK, samples=1, steps=6), low)[1]
    assert np.array_equal(done.volumes["x0"].data, whole.volumes["x0"].data)


def test_closing_the_stream_ends_the_worker_thread(low, tiny_bundles):
    stream = translate(dataclasses.replace(QUICK, steps=500), low)
    for event in stream:
        if isinstance(event, Progress):
            break
    begin = time.monotonic()
    stream.close()
    assert time.monotonic() - begin < 2
    assert not [t for t in threading.enumerate() if t.name == "vol2vol-run"]


def test_cancel_keeps_the_samples_that_were_finished(low, tiny_bundles, tmp_path):
    cancel = threading.Event()
    folder = tmp_path / "run"
    events = []
    for event in translate(dataclasses.replace(QUICK, samples=50), low, cancel=cancel, folder=folder):
        events.append(event)
        if isinstance(event, SampleDone) and event.sample == 2:
            cancel.set()
    done = events[-1]
    assert isinstance(done, Done)
    assert done.cancelled
    assert (folder / "sample-02.nii.gz").exists()
    assert json.loads((folder / "run.json").read_text())["state"] == "cancelled"
    assert done.volumes["mean"].shape == done.volumes["uncertainty"].shape


def test_every_finished_sample_is_on_disk_at_once_with_its_provenance(low, tiny_bundles, tmp_path):
    folder = tmp_path / "run"
    for event in translate(QUICK, low, folder=folder):
        if isinstance(event, SampleDone):
            stored = read_volume(event.path)
            assert stored.shape == (32, 36, 40)
            record = json.loads((folder / f"sample-{event.sample:02d}.json").read_text())
            assert record["settings"]["seed"] == 0
            assert record["bundle"]["name"] == "sr4-t1-planes"
            assert record["AI-generated"] is True


def test_a_run_never_writes_into_the_folder_of_another(low, tiny_bundles, tmp_path):
    run(QUICK, low, folder=tmp_path / "run")
    with pytest.raises(RunError, match="holds a run already"):
        run(QUICK, low, folder=tmp_path / "run")


def test_mean_and_uncertainty_are_those_of_the_samples_on_disk(low, tiny_bundles, tmp_path):
    _, done = run(dataclasses.replace(QUICK, samples=3), low, folder=tmp_path / "run")
    stack = np.stack([read_volume(tmp_path / "run" / f"sample-{i:02d}.nii.gz").data for i in (1, 2, 3)])
    assert np.allclose(done.volumes["mean"].data, stack.mean(0), atol=1e-3)
    assert np.allclose(done.volumes["uncertainty"].data, stack.std(0, ddof=1), atol=1e-3)


def test_snapshots_carry_physical_units_and_the_inner_life_of_the_system(low, head, tiny_bundles):
    seen = []

    class Keep(SnapshotBox):
        def put(self, snapshot):
            seen.append(snapshot)

    run(dataclasses.replace(QUICK, system="score-fusion", samples=2), low, reference=head, box=Keep())
    assert {"x_t", "axial", "sagittal", "w", "R", "data residual"} <= set(seen[0].taps)
    assert np.abs(seen[0].taps["data residual"]).max() < 1e-4  # the projection obeys the measurement
    assert seen[0].mean is None
    assert seen[-1].uncertainty.shape == head.shape
    assert 0 < seen[-1].x0_hat.mean() < 100
    assert np.allclose(seen[0].error, seen[0].x0_hat - head.data)


def test_a_trajectory_is_recorded_in_half_precision_up_to_its_cap(low, tiny_bundles, tmp_path):
    request = dataclasses.replace(QUICK, samples=1, steps=40, record_trajectory_mib=1)
    run(request, low, folder=tmp_path / "run")
    kept = sorted((tmp_path / "run" / "trajectory").glob("*.npy"))
    assert np.load(kept[0]).dtype == np.float16
    assert len(kept) == 2**20 // (32 * 36 * 40 * 2)


def test_a_runtime_error_leaves_as_the_projects_own_error(low, tiny_bundles, monkeypatch):
    from napari_vol2vol.networks.unet import UNet

    def broken(self, *args):
        raise RuntimeError("the kernel failed")

    monkeypatch.setattr(UNet, "forward", broken)
    with pytest.raises(RunError, match="the kernel failed") as caught:
        run(QUICK, low)
    assert not isinstance(caught.value, RuntimeError)


def test_out_of_memory_steps_down_says_so_and_gives_the_same_volume(low, tiny_bundles, monkeypatch):
    from napari_vol2vol.networks.unet import UNet

    expected = run(dataclasses.replace(QUICK, samples=1), low)[1].volumes["x0"].data
    forward = UNet.forward

    def small_only(self, x, *args):
        if x.shape[0] > 4:
            raise RuntimeError(
                "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 TB"
            )
        return forward(self, x, *args)

    monkeypatch.setattr(UNet, "forward", small_only)
    events, done = run(dataclasses.replace(QUICK, samples=1), low)
    notices = [e.message for e in events if isinstance(e, Notice)]
    assert any("4 slices a network call instead of 16" in n for n in notices)
    assert np.allclose(done.volumes["x0"].data, expected, atol=1e-4)
    assert any("4 slices" in n for n in done.record["notices"])


def test_when_even_the_smallest_plan_does_not_fit_the_error_says_what_helps(low, tiny_bundles, monkeypatch):
    from napari_vol2vol.networks.unet import UNet

    def never(self, *args):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(UNet, "forward", never)
    with pytest.raises(OutOfMemoryError, match="choose a smaller volume"):
        run(QUICK, low)


def test_the_estimate_reads_no_weights_and_warns_outside_the_trained_range(head, low, tiny_bundles):
    fine = estimate(QUICK, low)
    assert fine.memory_bytes > 0
    assert fine.warnings == ()
    wrong = dataclasses.replace(head, modality="CT")
    assert len(estimate(QUICK, wrong).warnings) == 2


def test_bad_requests_name_the_field_what_was_found_and_what_is_accepted(low, head, tiny_bundles):
    with pytest.raises(SettingsError, match=r"system: found 'magic', accepted are .*tpdm"):
        run(dataclasses.replace(QUICK, system="magic"), low)
    with pytest.raises(SettingsError, match=r"steps: found 0"):
        dataclasses.replace(QUICK, steps=0)
    with pytest.raises(BundleError, match=r"found 'nothing', installed are"):
        run(dataclasses.replace(QUICK, bundle="nothing"), low)
    with pytest.raises(SettingsError, match=r"device: found 'cuda:99'"):
        run(dataclasses.replace(QUICK, device="cuda:99"), low)
    with pytest.raises(VolumeError, match="resample"):
        run(QUICK, low, reference=low)
    with pytest.raises(VolumeError, match="head"):
        run(QUICK, head.with_data(np.full(head.shape, 3.0)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (9, 4, 2)])
def test_small_and_odd_sizes_are_padded_and_cut_back_exactly(shape, tiny_bundles):
    from napari_vol2vol.volume import Volume

    rng = np.random.default_rng(0)
    source = Volume.from_array(rng.uniform(1, 2, shape), spacing_mm=(4, 4, 4), name="odd", modality="T1w")
    if np.prod(shape) == 1:
        with pytest.raises(VolumeError):
            run(QUICK, source)
        return
    _, done = run(dataclasses.replace(QUICK, system="score-fusion"), source)
    assert done.volumes["mean"].shape == tuple(4 * n for n in shape)
    again = get_task("super-resolution").degrade(done.volumes["mean"])
    assert np.allclose(again.data, source.data, atol=1e-4)
    assert again.same_grid(source)


def test_a_request_survives_json_and_its_digest_changes_with_it():
    again = Translation.from_dict(
        json.loads(json.dumps(dataclasses.replace(QUICK, factor=(4, 4, 1)).as_dict()))
    )
    assert again == dataclasses.replace(QUICK, factor=(4, 4, 1))
    assert again.digest() != QUICK.digest()
    with pytest.raises(SettingsError, match="unknown fields speed"):
        Translation.from_dict({"speed": 1})
