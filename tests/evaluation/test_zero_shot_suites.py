import numpy as np
import pytest

from evaluation.small_suites import run, translation_suite
from napari_vol2vol.evaluation.rows import Row, faithfulness_of
from napari_vol2vol.evaluation.suite import load_suite, shipped_suites
from napari_vol2vol.evaluation.suite_entries import SystemEntry
from napari_vol2vol.tasks.modality_translation import ZERO_SHOT
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.volume import Volume

NAMES = [name for name in shipped_suites() if name.startswith("zero-shot")]
TRAINED = {"T1w": "mi-t1", "FLAIR": "mi-flair"}


@pytest.mark.parametrize("name", NAMES)
def test_every_zero_shot_suite_holds_out_subjects_and_asks_for_an_unseen_modality(name):
    suite = load_suite(name)
    recipe = load_recipe(TRAINED[suite.target])
    assert set(ZERO_SHOT) <= {entry.system for entry in suite.systems}
    assert suite.labels[0] == "identity"
    assert recipe.target == suite.target
    assert recipe.inputs == ()
    for entry in suite.volumes:
        assert not set(entry.fetched.values()) & set(recipe.train)
        if entry.phantom is not None:  # training draws its heads from 1000 x recipe seed + i
            assert entry.phantom.seed // 1000 not in (recipe.seed, 9700)


def test_faithfulness_is_measured_to_the_target_and_to_the_source():
    rng = np.random.default_rng(0)
    source = Volume.from_array(rng.uniform(0, 1, (16, 16, 16)).astype(np.float32))
    reference = source.with_data(1 - source.data)
    top = source.with_data(source.data / np.percentile(source.data, 99.5))
    own = faithfulness_of(reference, source, [top])
    assert own["ssim_source"] == pytest.approx(1.0, abs=1e-3)
    inverted = faithfulness_of(reference, source, [reference, reference])
    assert inverted["mse_single"] == 0
    assert inverted["ssim_source"] < 0


def test_rows_of_a_translation_have_them_and_survive_the_ledger(tmp_path):
    suite = translation_suite(systems=(SystemEntry("identity"),))
    _, (row,) = run(suite, tmp_path)
    assert row.ssim_source == pytest.approx(1.0, abs=0.02)  # the source itself
    assert row.mse_single == pytest.approx(10 ** (-row.psnr_single / 10), rel=1e-4)
    assert Row.from_dict(row.as_dict()) == row
