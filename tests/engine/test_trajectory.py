"""What a run keeps of its steps, and going on from one of them."""

import dataclasses

import numpy as np
import pytest

from napari_vol2vol.engine import Done, Translation, translate
from napari_vol2vol.engine.trajectory import NOISE, STATE, file_of, read_facts
from napari_vol2vol.errors import RunError, SettingsError
from napari_vol2vol.tasks import get_task

STEPS = 4
REQUEST = Translation(
    system="tpdm", steps=STEPS, precision="float32", eta=0.5, record_trajectory_mib=64, record_state=True
)


@pytest.fixture(scope="module")
def low(head):
    return get_task("super-resolution").degrade(head)


def run(request, low, **options):
    *_, done = translate(request, low, **options)
    assert isinstance(done, Done)
    return done


@pytest.fixture
def recorded(low, head, tiny_bundles, tmp_path):
    folder = tmp_path / "run"
    return folder, run(REQUEST, low, folder=folder, reference=head)


def test_every_step_is_kept_with_its_time_levels_and_figures(recorded):
    folder, done = recorded
    facts = read_facts(folder)
    assert sorted(facts) == [(1, step) for step in range(1, STEPS + 1)]
    times = [facts[1, step].t for step in range(1, STEPS + 1)]
    assert times == pytest.approx([1, 0.75, 0.5, 0.25])
    assert all(f.alpha**2 + f.sigma**2 == pytest.approx(1) for f in facts.values())
    assert facts[1, STEPS].psnr == pytest.approx(done.metrics["psnr_single"])
    assert facts[1, STEPS].residual < 1e-5


def test_the_state_holds_the_noise_that_the_network_sees(recorded):
    folder, _ = recorded
    first = np.load(file_of(folder, 1, 1, STATE))
    assert first.dtype == np.float32
    assert first.std() == pytest.approx(1, abs=0.02)  # t = 1: noise alone
    noise = np.load(file_of(folder, 1, 1, NOISE))
    assert noise.dtype == np.float16
    assert np.corrcoef(first.ravel(), noise.astype(np.float32).ravel())[0, 1] > 0.99


def test_a_resumed_run_ends_where_the_whole_run_ended(recorded, low, tiny_bundles, tmp_path):
    folder, done = recorded
    rest = dataclasses.replace(
        REQUEST,
        steps=STEPS - 2,
        resume=str(folder),
        resume_step=3,
        record_trajectory_mib=0,
        record_state=False,
    )
    again = run(rest, low).volumes["x0"].data
    np.testing.assert_allclose(again, done.volumes["x0"].data, atol=1e-3)
    other = run(dataclasses.replace(rest, eta=0.0), low).volumes["x0"].data
    assert np.abs(other - again).max() > 0.1  # from the same state, under another setting
    assert run(rest, low).record["settings"]["resume_step"] == 3


def test_a_resume_says_what_it_accepts(recorded, low, tiny_bundles, tmp_path):
    folder, _ = recorded
    base = dataclasses.replace(REQUEST, record_trajectory_mib=0, record_state=False, resume=str(folder))
    with pytest.raises(SettingsError, match=r"found step 9 of sample 1 .* keeps steps 1 to 4 of sample 1"):
        run(dataclasses.replace(base, resume_step=9), low)
    with pytest.raises(SettingsError, match="which keeps no step with its state"):
        run(dataclasses.replace(base, resume=str(tmp_path)), low)
    with pytest.raises(SettingsError, match="samples: found 3, accepted is 1 where a run is resumed"):
        dataclasses.replace(base, samples=3)
    small = low.with_data(low.data[:4], affine=low.affine)
    with pytest.raises(SettingsError, match=r"resume: found a state of shape .* accepted is one of"):
        run(base, small)


def test_the_state_needs_a_recording(low, tiny_bundles):
    with pytest.raises(SettingsError, match="record_state: found no recording"):
        run(dataclasses.replace(REQUEST, record_trajectory_mib=0), low)


def test_a_folder_that_cannot_be_written_is_named(low, tiny_bundles, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(RunError, match=r"record_trajectory_mib: .*run cannot be written \(No space left"):
        run(REQUEST, low, folder=tmp_path / "run")


def test_the_residual_image_shows_where_a_volume_disobeys(low):
    task = get_task("super-resolution")
    measurement = task.prepare(low, (4, 4, 4), 4, ("base",))
    x = measurement.base.clone()
    spot = (slice(4, 8), slice(8, 12), slice(12, 16))
    x[spot] += 1
    image = measurement.residual_image(x)
    inside = image[spot].abs().min()
    image[spot] = 0
    assert inside > 0.1
    assert image.abs().max() < 1e-3 * inside
