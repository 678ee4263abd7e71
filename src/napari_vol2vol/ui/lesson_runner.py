"""Doing a step of a lesson: samples, docks, fields, run, and what is shown of it (main thread)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_vol2vol.errors import SettingsError, Vol2VolError
from napari_vol2vol.ui.fill_translate import fill
from napari_vol2vol.ui.layer_volume import volume_of
from napari_vol2vol.ui.result_layers import RESULT_KEY
from napari_vol2vol.ui.run_state import RunState
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.settings import PLUGIN

if TYPE_CHECKING:
    import napari
    from qtpy.QtWidgets import QWidget

    from napari_vol2vol.ui.lessons import LessonStep

ENDED = (RunState.DONE, RunState.CANCELLED, RunState.FAILED)
#: Names of `lessons.ACTIONS` for what a recording shows -> its kind.
RECORDED = {"x0": "", "x_t": "x_t", "noise": "noise"}


class LessonRunner(QObject):
    """``said`` carries one line while a step is done, ``finished`` whether it was done."""

    said = Signal(str)
    finished = Signal(bool)

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        parent: QObject | None = None,
        open_dock: Callable[[str], QWidget] | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._open_dock = open_dock or self._open_plugin_dock
        self._step: LessonStep | None = None
        self._dock: Any = None
        #: Layers that a lesson opened, by the key of their sample: a lesson opens each once.
        self._opened: dict[str, list[Any]] = {}

    @property
    def busy(self) -> bool:
        """Whether a step is under way."""
        return self._step is not None

    def do(self, step: LessonStep) -> None:
        """Do a step; a run goes on after this returns."""
        if self.busy:
            return
        self._step = step
        try:
            self._prepare(step)
            if step.actions.get("run"):
                self._run()
                return
            self._show(step)
        except Vol2VolError as error:
            self._end(False, str(error))
            return
        self._end(True, "done")

    def release(self) -> None:
        """Stop following a run under way; it goes on."""
        self._forget_dock()
        self._step = None

    # ------------------------------------------------------------------ before a run

    def _prepare(self, step: LessonStep) -> None:
        actions = step.actions
        for key in actions.get("samples", ()):
            there = [layer for layer in self._opened.get(key, ()) if layer in self._viewer.layers]
            if not there:
                self._opened[key] = self._viewer.open_sample(PLUGIN, key)
        if "crop" in actions:
            self._crop(**actions["crop"])
        for name in actions.get("docks", ()):
            self._dock_named(name)
        if {"volume", "reference", "settings", "run"} & set(actions):
            self._fill(actions)

    def _fill(self, actions: Any) -> None:
        dock = self._dock_named("Translate")
        if dock.controller.active:
            raise SettingsError("run: one is under way; wait for it or cancel it, then press Do it again")
        if "volume" in actions:
            dock.volumes.volume.choose(self._layer(actions["volume"]))
        dock.more.resume.show_value(None)
        if "settings" in actions:
            fill(dock, actions["settings"])
        if "reference" in actions:
            name = actions["reference"]
            dock.volumes.reference.choose(None if name == "none" else self._layer(name))

    def _crop(self, layer: str, slices: list[int], name: str) -> None:
        if name in self._viewer.layers:
            return
        whole = volume_of(self._layer(layer))
        first, end = slices
        if not 0 <= first < end <= whole.shape[0]:
            raise SettingsError(f"crop: found slices {slices}, accepted are 0 to {whole.shape[0]}")
        move = np.eye(4)
        move[2, 3] = first  # the affine counts voxels as (x, y, z)
        part = whole.with_data(whole.data[first:end].copy(), affine=whole.affine @ move, name=name)
        data, keywords, _ = part.to_layer()
        limits = self._layer(layer).contrast_limits
        self._viewer.add_image(data, **keywords, contrast_limits=limits)
        self._layer(layer).visible = False

    def _layer(self, name: str) -> Any:
        if name not in self._viewer.layers:
            there = ", ".join(layer.name for layer in self._viewer.layers) or "none"
            raise SettingsError(f"layer: found no {name!r}, open are {there}; do the steps before this one")
        return self._viewer.layers[name]

    def _dock_named(self, name: str) -> Any:
        found = session_of(self._viewer).docks.get(name)
        if found is None:
            found = self._open_dock(name)
            session_of(self._viewer).docks[name] = found
        return found

    def _open_plugin_dock(self, name: str) -> QWidget:
        try:
            return self._viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]
        except (KeyError, ValueError) as error:
            raise SettingsError(f"docks: found {name}, which the plugin has not ({error})") from error

    # ------------------------------------------------------------------ the run

    def _run(self) -> None:
        self._dock = self._dock_named("Translate")
        self._dock.controller.state_changed.connect(self._on_state)
        self._dock.estimator.estimated.connect(self._on_estimated)
        self.said.emit("running …")
        self._dock.run_when_ready()

    def _on_estimated(self, result: Any) -> None:
        if result.error:
            self._end(False, result.error)

    def _on_state(self, state: RunState) -> None:
        if state not in ENDED:
            return
        dock, step = self._dock, self._step
        if state is not RunState.DONE:
            failure = dock.controller.failure
            self._end(
                False, failure.message if state is RunState.FAILED and failure else "the run was cancelled"
            )
            return
        try:
            self._show(step)
        except Vol2VolError as error:
            self._end(False, str(error))
            return
        self._end(True, dock.bar.status.text())

    def _show(self, step: LessonStep) -> None:
        kind = step.actions.get("show")
        runs = session_of(self._viewer).runs
        if kind is not None:
            if not runs:
                raise SettingsError(
                    f"show: found no run whose {kind} could be shown; do the step before first"
                )
            shown = [la for la in runs[-1].layers.layers if la.metadata.get(RESULT_KEY) == kind]
            if not shown:
                raise SettingsError(f"show: found no {kind} in the newest run")
            self._show_alone(shown[0])
        if "trajectory" in step.actions:
            self._show_trajectory(**step.actions["trajectory"])

    def _show_trajectory(self, show: str, step: int) -> None:
        dock = self._dock_named("Trajectory")
        recorded = [
            e for e in session_of(self._viewer).runs if e.folder and (e.folder / "trajectory").is_dir()
        ]
        if not recorded or show not in RECORDED:
            raise SettingsError(
                f"trajectory: found {show} and {len(recorded)} recorded runs; accepted are "
                f"{', '.join(RECORDED)} of a run that was recorded"
            )
        if dock.trajectory is None or dock.trajectory.folder != recorded[-1].folder:
            dock.open_folder(recorded[-1].folder)
        dock.what.setCurrentIndex(dock.what.findData(RECORDED[show]))
        dock.slider.setValue(step)
        if (reason := dock.what_row.reason) and show != "x0":
            raise SettingsError(f"trajectory: {reason}")
        self._show_alone(dock.layer)

    def _show_alone(self, shown: Any) -> None:
        """Hide what else runs have left."""
        for layer in self._viewer.layers:
            if layer is shown or RESULT_KEY in layer.metadata:
                layer.visible = layer is shown

    # ------------------------------------------------------------------ the end

    def _end(self, good: bool, text: str) -> None:
        self.release()
        self.said.emit(text)
        self.finished.emit(good)

    def _forget_dock(self) -> None:
        if self._dock is not None:
            self._dock.controller.state_changed.disconnect(self._on_state)
            self._dock.estimator.estimated.disconnect(self._on_estimated)
            self._dock = None
