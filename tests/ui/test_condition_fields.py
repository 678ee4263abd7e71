import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.ui.condition_fields import ConditionFields
from napari_vol2vol.ui.layer_volume import modality_of, set_modality, volume_of
from napari_vol2vol.ui.simulation import on_result_grid
from napari_vol2vol.volume import Volume


def add(viewer, modality, name, shape=(6, 7, 8), affine=None):
    volume = Volume.from_array(
        np.random.default_rng(0).uniform(1, 2, shape), affine=affine, modality=modality
    )
    data, keywords, _ = volume.to_layer()
    return viewer.add_image(data, **{**keywords, "name": name})


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def fields(viewer, qtbot):
    widget = ConditionFields(viewer)
    qtbot.addWidget(widget)
    yield widget
    widget.close_fields()


def test_a_bundle_of_one_input_asks_for_nothing(fields):
    fields.ask_for([], may_resample=False)
    assert fields.isHidden()
    assert (fields.missing(), fields.volumes()) == ("", {})


def test_layers_are_picked_by_modality_now_and_when_they_come(viewer, fields):
    add(viewer, "T1w", "a")
    t2 = add(viewer, "T2w", "b")
    fields.ask_for(["T2w", "T1ce"], may_resample=True)
    assert fields.choices["T2w"].layer is t2
    assert "choose the T1ce layer" in fields.missing()
    with pytest.raises(VolumeError, match="Conditions: choose the T1ce layer"):
        fields.volumes()
    enhanced = add(viewer, "T1ce", "c")
    assert fields.choices["T1ce"].layer is enhanced
    assert {name: v.modality for name, v in fields.volumes().items()} == {"T2w": "T2w", "T1ce": "T1ce"}


def test_a_choice_of_the_user_is_not_replaced(viewer, fields):
    add(viewer, "T1ce", "first")
    other = add(viewer, None, "other")
    fields.ask_for(["T1ce"], may_resample=True)
    fields.choices["T1ce"].choose(other)
    add(viewer, "T1ce", "third")
    fields.ask_for(["T1ce"], may_resample=True)
    assert fields.choices["T1ce"].layer is other


def test_what_is_no_longer_wanted_goes_and_stops_following_the_viewer(viewer, fields):
    fields.ask_for(["T1ce", "T2w"], may_resample=True)
    fields.ask_for(["T2w"], may_resample=True)
    assert list(fields.choices) == list(fields.rows) == ["T2w"]
    add(viewer, "T1ce", "late")
    assert fields.choices["T2w"].layer is None


def test_the_modality_is_guessed_from_the_name_and_correctable(viewer):
    layer = viewer.add_image(np.random.default_rng(0).uniform(1, 2, (4, 4, 4)), name="sub-01_FLAIR")
    assert modality_of(layer) == volume_of(layer).modality == "FLAIR"
    set_modality(layer, "T2w")
    assert modality_of(layer) == volume_of(layer).modality == "T2w"
    set_modality(layer, None)
    assert modality_of(layer) is None


def test_conditions_and_reference_are_brought_to_the_grid_of_the_result():
    from napari_vol2vol.engine.request import Translation

    coarse = np.diag([4.0, 4, 4, 1])
    source = Volume.from_array(
        np.random.default_rng(0).uniform(1, 2, (3, 4, 5)), affine=coarse, modality="FLAIR"
    )
    guide = Volume.from_array(np.random.default_rng(1).uniform(1, 2, (9, 9, 9)), modality="T1ce")
    request = Translation(task="multi-contrast-super-resolution", system="trilinear", samples=1)
    found, reference, conditions = on_result_grid(request, source, guide, {"T1ce": guide})
    assert found is source
    assert conditions["T1ce"].same_grid(reference)
    assert reference.shape == (12, 16, 20)
    again = on_result_grid(request, source, reference, conditions)
    assert again[1] is reference
    assert again[2]["T1ce"] is conditions["T1ce"]


def test_registration_is_offered_where_the_reference_is_another_phase():
    viewer = ViewerModel()
    fields = ConditionFields(viewer)
    fields.ask_for([], may_resample=False)
    assert fields.register.isHidden()
    fields.ask_for([], may_resample=False, may_register=True)
    assert not fields.register.isHidden()
    fields.register.setChecked(True)
    fields.ask_for([], may_resample=True)
    assert not fields.register.isChecked(), "another task must not register behind the user's back"
    fields.close_fields()


def test_a_registered_reference_brings_a_remark_with_the_figures_before_and_after():
    pytest.importorskip("SimpleITK")
    from types import SimpleNamespace

    from scipy import ndimage

    from napari_vol2vol.phantoms.torso_ct import make_torso_pair
    from napari_vol2vol.ui.run_inputs import inputs_of_run
    from napari_vol2vol.volume import Volume

    made = make_torso_pair(5, (20, 48, 56), (6.0, 5.0, 5.0), breathing_mm=0.0)
    native, contrast = (
        Volume.from_array(np.asarray(v, np.float32), (6.0, 5.0, 5.0), modality="CT", units="HU")
        for v in (made.native, made.contrast)
    )
    moved = native.with_data(ndimage.shift(native.data, (1.0, -1.5, 1.0), order=1, mode="nearest"))
    _, reference, *_, remarks = inputs_of_run(
        None, SimpleNamespace(), lambda: (contrast, moved), {}, resampled=False, registered=True
    )
    inner = (slice(4, -4), slice(8, -8), slice(8, -8))
    error = [np.abs(v.data - native.data)[inner].mean() for v in (moved, reference)]
    assert error[1] < 0.7 * error[0]
    assert "before" in remarks[0]
