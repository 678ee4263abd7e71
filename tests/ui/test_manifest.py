from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_vol2vol
from napari_vol2vol.errors import VolumeError
from napari_vol2vol.ui import sample_data, settings
from napari_vol2vol.volume import Volume

MANIFEST = Path(napari_vol2vol.__file__).parent / "napari.yaml"


@pytest.fixture
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def commands_used(contributions) -> set[str]:
    used = [
        *contributions.readers,
        *contributions.writers,
        *contributions.widgets,
        *contributions.sample_data,
    ]
    used += [item for items in (contributions.menus or {}).values() for item in items]
    return {item.command for item in used}


def test_every_contribution_names_an_existing_command(manifest):
    """`npe2 validate` does not look at this."""
    contributions = manifest.contributions
    assert commands_used(contributions) <= {command.id for command in contributions.commands}


def test_every_command_can_be_imported(manifest):
    from npe2.manifest.utils import import_python_name

    for command in manifest.contributions.commands:
        assert callable(import_python_name(command.python_name)), command.id


def test_the_manifest_has_the_name_of_the_distribution(manifest):
    assert manifest.name == "napari-vol2vol" == settings.PLUGIN


def test_preferences_have_the_defaults_that_the_code_falls_back_to(npe2pm, plugin_settings, manifest):
    def read():
        return settings.stream_hz(), settings.default_device(), settings.convention(), settings.drag_up()

    without = read()
    npe2pm.register(manifest)
    assert read() == without


def test_preferences_are_used(npe2pm, plugin_settings, manifest):
    from napari.settings import get_plugin_settings

    npe2pm.register(manifest)
    chosen = get_plugin_settings(settings.PLUGIN)
    chosen.stream.hz = 2
    chosen.views.convention = "neurological"
    assert settings.stream_hz() == 2
    assert settings.convention() == "neurological"
    chosen.views.drag_up = "brighter"
    assert settings.drag_up() == "brighter"


def test_a_missing_sample_says_what_there_is(monkeypatch, tmp_path):
    monkeypatch.setattr(sample_data, "sample_folder", lambda: tmp_path)
    (tmp_path / "other.nii.gz").touch()
    with pytest.raises(VolumeError, match=r"which holds other\.nii\.gz"):
        sample_data.brain_low()


def test_the_procedural_sample_brings_both_inputs_and_the_truth_with_their_modalities():
    volumes = {
        keywords["name"]: Volume.from_layer(
            data, keywords["scale"], keywords["translate"], keywords["metadata"]
        )
        for data, keywords, _ in sample_data.procedural_head()
    }
    assert {name: volume.modality for name, volume in volumes.items()} == {
        "T1ce": "T1ce",
        "FLAIR low": "FLAIR",
        "FLAIR reference": "FLAIR",
    }
    assert volumes["FLAIR low"].shape == (24, 24, 24)
    assert volumes["T1ce"].shape == volumes["FLAIR reference"].shape == (96, 96, 96)


def test_the_procedural_torso_comes_in_hounsfield_units_and_the_abdomen_window():
    for data, keywords, _ in sample_data.procedural_torso():
        volume = Volume.from_layer(data, keywords["scale"], keywords["translate"], keywords["metadata"])
        assert (volume.modality, volume.units) == ("CT", "HU")
        assert float(np.median(volume.data)) < -50
        assert keywords["contrast_limits"] == (-160, 240)


def test_importing_the_docks_does_not_import_torch():
    import subprocess
    import sys

    docks = "napari_vol2vol.ui.translate_dock, napari_vol2vol.ui.three_views"
    code = f"import sys, {docks}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
