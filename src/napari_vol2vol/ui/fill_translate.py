"""Filling the *Translate* dock from elsewhere: a recorded step to go on from, a step of a lesson."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.ui.more_fields import Resumed
from napari_vol2vol.ui.option_fields import OptionField, editor_write

if TYPE_CHECKING:
    from qtpy.QtWidgets import QComboBox

    from napari_vol2vol.evaluation.recorded_run import Trajectory
    from napari_vol2vol.ui.translate_dock import TranslateDock

#: Those of a recorded request that a resumed run starts with.
KEPT = ("task", "system", "bundle", "solver", "seed", "eta", "fusion_lambda", "consistency", "options")


def fill(dock: TranslateDock, settings: Mapping[str, Any]) -> None:
    """Set fields by the names they have in a `Translation`.

    Beside those, ``simulate`` and ``simulation`` are the box and the fields of step 1, ``taps`` the names to
    show while sampling.

    Fields that are not named stay as they are.

    Raises
    ------
    SettingsError
        Where a name is unknown or a value is not offered.
    """
    setters = _setters(dock)
    accepted = (*setters, "simulation", "options", "taps")
    if unknown := [name for name in settings if name not in accepted]:
        raise SettingsError(f"settings: found {', '.join(unknown)}; accepted are {', '.join(accepted)}")
    for name, write in setters.items():  # in the order in which later fields depend on earlier ones
        if name in settings:
            write(settings[name])
    for what, fields in (("simulation", dock.volumes.simulation.fields), ("options", dock.options.fields)):
        for name, value in (settings.get(what) or {}).items():
            if name not in fields:
                raise SettingsError(f"{what}: found {name}; accepted are {', '.join(fields) or 'none'}")
            _write_option(fields[name], value)
    for name in settings.get("taps") or ():
        dock.taps.offer([name])
        dock.taps.choose(name)


def fill_resume(dock: TranslateDock, run: Trajectory, sample: int, step: int) -> None:
    """Set the dock to go on from a recorded step under the settings of its run, for the steps that are left.

    Raises
    ------
    SettingsError
        Where a setting of the run is not offered any more, as a bundle that was uninstalled.
    """
    kept = {name: run.settings[name] for name in KEPT if run.settings.get(name) is not None}
    if not dock.method.bundle.isEnabled():
        kept.pop("bundle", None)
    steps = run.steps(sample)
    fill(dock, {**kept, "samples": 1, "steps": int(run.settings.get("steps", steps[-1])) - step + 1})
    dock.more.resume.show_value(Resumed(run.folder, sample, step))
    dock.more_section.expand()


def _setters(dock: TranslateDock) -> dict[str, Callable[[Any], None]]:
    method, more = dock.method, dock.more

    def bundle(name: str | None) -> None:
        if name is not None and not method.choose_bundle(name):
            raise SettingsError(
                f"bundle: found {name}, which is not installed for {method.system_info.title}"
            )

    return {
        "task": lambda value: _choose_data("task", method.task, value),
        "system": lambda value: _choose_data("system", method.system, value),
        "bundle": bundle,
        "steps": method.steps.setValue,
        "samples": method.samples.setValue,
        "solver": lambda value: _choose_text("solver", more.solver, value),
        "seed": more.seed.setValue,
        "eta": lambda value: more.eta.setValue(-0.1 if value is None else value),
        "fusion_lambda": more.fusion_lambda.setValue,
        "consistency": more.consistency.setChecked,
        "record_trajectory_mib": more.record.setValue,
        "record_state": more.record_state.setChecked,
        "simulate": dock.volumes.simulate.setChecked,
    }


def _choose_data(name: str, box: QComboBox, value: str) -> None:
    index = box.findData(value)
    if index < 0 or not box.model().item(index).isEnabled():
        usable = [box.itemData(i) for i in range(box.count()) if box.model().item(i).isEnabled()]
        raise SettingsError(f"{name}: found {value}, accepted here are {', '.join(usable)}")
    box.setCurrentIndex(index)


def _choose_text(name: str, box: QComboBox, value: str) -> None:
    if box.findText(value) < 0:
        offered = ", ".join(box.itemText(i) for i in range(box.count()))
        raise SettingsError(f"{name}: found {value}, accepted here are {offered}")
    box.setCurrentText(value)


def _write_option(field: OptionField, value: Any) -> None:
    checked = field.option.check(value)
    if field.auto is not None:
        field.auto.setChecked(checked is None)
    if checked is not None:
        editor_write(field.editor, checked)
