import pytest
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox

from napari_vol2vol.options import Option
from napari_vol2vol.ui.option_fields import OptionFields, RealField

VIEWS = Option("views", 60, "Angles", low=1, high=2000)
NOISE = Option("noise", 0.01, "Deviation", low=0.0)
GEOMETRY = Option("geometry", "parallel", "Beam", choices=("parallel", "fan"))
FILE = Option("mask_file", "", "Mask from a file")
EXACT = Option("exact", True, "Whether")
BINS = Option("bins", None, "Detector bins", low=1, optional=True, kind=int)
ALL = (VIEWS, NOISE, GEOMETRY, FILE, EXACT, BINS)


@pytest.fixture
def fields(qtbot):
    widget = OptionFields()
    qtbot.addWidget(widget)
    widget.ask_for(ALL)
    return widget


def test_every_kind_of_option_gets_its_editor_and_starts_at_its_default(fields):
    kinds = [type(f.editor) for f in fields.fields.values()]
    assert kinds == [QSpinBox, RealField, QComboBox, QLineEdit, QCheckBox, QSpinBox]
    assert fields.values() == {
        "views": 60, "noise": 0.01, "geometry": "parallel", "mask_file": "", "exact": True, "bins": None,
    }  # fmt: skip


def test_editors_keep_to_the_range_of_the_option(fields):
    fields.fields["views"].editor.setValue(0)
    assert fields.values()["views"] == 1


def test_auto_gives_none_and_its_editor_back_when_unticked(fields):
    bins = fields.fields["bins"]
    assert not bins.editor.isEnabled()
    bins.auto.setChecked(False)
    bins.editor.setValue(183)
    assert fields.values()["bins"] == 183


def test_values_survive_a_change_to_options_that_share_them(fields):
    fields.fields["views"].editor.setValue(18)
    fields.ask_for((NOISE, VIEWS))
    assert fields.values() == {"noise": 0.01, "views": 18}


def test_an_option_of_the_same_name_but_another_default_starts_at_its_own(fields):
    fields.fields["views"].editor.setValue(18)
    fields.ask_for((Option("views", 90, "Angles", low=1, high=2000),))
    assert fields.values() == {"views": 90}


def test_a_change_is_told_once(fields, qtbot):
    with qtbot.waitSignal(fields.changed):
        fields.fields["geometry"].editor.setCurrentText("fan")
    assert all(option.check(fields.values()[option.name]) == fields.values()[option.name] for option in ALL)
