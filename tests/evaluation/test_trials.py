from dataclasses import replace

import pytest

from evaluation.small_suites import make_translation_bundle, no_fetched, small_suite, translation_suite
from napari_vol2vol.engine import sampling_run
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.evaluation.cases import load_cases
from napari_vol2vol.evaluation.suite_entries import SystemEntry
from napari_vol2vol.evaluation.trials import bundle_of, trials_of
from napari_vol2vol.sampling.noise_bank import NoiseBank


@pytest.fixture
def translation_bundles(tmp_path, monkeypatch):
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(tmp_path / "bundles"))
    return tmp_path / "bundles"


@pytest.fixture
def case(head_folder):
    return next(load_cases(small_suite(head_folder), no_fetched))


def test_systems_that_draw_nothing_take_one_seed_one_sample_and_one_step(head_folder, case, tiny_bundles):
    found = [
        (t.label, t.request.seed, t.request.samples, t.request.steps)
        for t in trials_of(small_suite(head_folder, seeds=(3, 4)), case)
    ]
    assert found == [
        ("trilinear", 0, 1, 1), ("smooth-inverse", 0, 1, 1), ("tpdm", 3, 2, 2), ("tpdm", 4, 2, 2),
        ("palette", 3, 2, 2), ("palette", 4, 2, 2),
    ]  # fmt: skip


def test_what_an_entry_sets_reaches_the_request(head_folder, case, tiny_bundles):
    entry = SystemEntry("tpdm", label="x", solver="ddpm", eta=0.5, weights=(0.2, 0.8), consistency=False)
    (trial,) = trials_of(small_suite(head_folder, systems=(entry,), baseline=""), case)
    request = trial.request
    assert (request.solver, request.eta, request.weights) == ("ddpm", 0.5, (0.2, 0.8))
    assert request.consistency is False
    assert request.steps == trial.job.card.default_steps
    assert (request.bundle, trial.label) == ("sr4-t1-planes", "x")


def test_the_digest_follows_every_setting(head_folder, case, tiny_bundles):
    def digests(**changes):
        return [t.digest() for t in trials_of(small_suite(head_folder, **changes), case)]

    same = digests()
    assert digests() == same
    assert len(set(same)) == 4
    assert set(digests(samples=3)) & set(same) == set(same[:2])
    assert set(digests(seeds=(7,))) & set(same) == set(same[:2])
    other = small_suite(head_folder)
    renamed = [t.digest() for t in trials_of(other, replace(case, name="other"))]
    assert set(renamed).isdisjoint(same)


def test_the_bundle_is_the_one_that_makes_the_target_from_the_inputs(translation_bundles):
    make_translation_bundle(translation_bundles, "a-t2", target="T2w")
    make_translation_bundle(translation_bundles, "b-other-input", inputs=("T1w",))
    make_translation_bundle(translation_bundles, "c-fitting")
    suite = translation_suite()
    assert bundle_of(suite, SystemEntry("tpdm")).name == "c-fitting"
    with pytest.raises(
        BundleError, match="bundle a-t2 makes T2w from T1ce, the suite asks for FLAIR from T1"
    ):
        bundle_of(suite, SystemEntry("tpdm", bundle="a-t2"))
    with pytest.raises(BundleError, match=r"system tpdm: found no installed bundle .* makes T1w from T1ce"):
        bundle_of(replace(suite, target="T1w"), SystemEntry("tpdm"))
    with pytest.raises(BundleError, match="system identity takes none"):
        bundle_of(suite, SystemEntry("identity", bundle="a-t2"))


def test_a_bundle_folder_is_found_from_the_suite_s_own_folder(tmp_path):
    make_translation_bundle(tmp_path / "here", "mine")
    suite = translation_suite(folder=tmp_path)
    assert bundle_of(suite, SystemEntry("tpdm", bundle="here/mine")).name == "mine"


def test_a_block_that_networks_pad_differently_is_refused(head_folder, case, tiny_bundles, monkeypatch):
    from napari_vol2vol.engine.run import Job

    suite = small_suite(head_folder)
    assert trials_of(suite, case)
    monkeypatch.setattr(Job, "multiple", property(lambda job: 8 if job.request.system == "tpdm" else 12))
    with pytest.raises(SettingsError, match=r"block: found \(16, 16, 16\) voxels .* multiples of 24"):
        trials_of(suite, case)


def test_every_system_draws_the_same_noise(head_folder, tiny_bundles, tmp_path, monkeypatch):
    from evaluation.small_suites import run

    drawn = []

    class Spy(NoiseBank):
        def draw(self, step, shape, device="cpu"):
            noise = super().draw(step, shape, device)
            drawn.append((self.seed, self.sample, step, tuple(shape), float(noise.sum())))
            return noise

    monkeypatch.setattr(sampling_run, "NoiseBank", Spy)
    suite = small_suite(head_folder, seeds=(5,))
    suite = replace(suite, volumes=suite.volumes[:1], systems=suite.systems[2:], baseline="")
    run(suite, tmp_path)
    first, second = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
    assert first == second
    assert {(seed, sample) for seed, sample, *_ in first} == {(5, 0), (5, 1)}
    assert len({total for *_, total in first}) == len(first)
