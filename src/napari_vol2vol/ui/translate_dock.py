"""The *Translate* dock: choose, run, watch. Everything in this file runs on the main thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtWidgets import QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.ui import settings
from napari_vol2vol.ui.catalogue import Catalogue, installed
from napari_vol2vol.ui.condition_fields import ConditionFields
from napari_vol2vol.ui.curves_panel import CurvesPanel
from napari_vol2vol.ui.estimator import EstimateResult, Estimator
from napari_vol2vol.ui.layer_volume import modality_of
from napari_vol2vol.ui.method_fields import MethodFields
from napari_vol2vol.ui.more_fields import MoreFields
from napari_vol2vol.ui.option_fields import OptionFields
from napari_vol2vol.ui.raw_loading import RawLoading
from napari_vol2vol.ui.result_layers import image_limits
from napari_vol2vol.ui.row import note, section
from napari_vol2vol.ui.run_bar import RunBar
from napari_vol2vol.ui.run_controller import RunController
from napari_vol2vol.ui.run_history import RunOpening
from napari_vol2vol.ui.run_inputs import as_they_are, inputs_of_run, question_of
from napari_vol2vol.ui.run_report import RunReport, show_pictures
from napari_vol2vol.ui.run_state import estimate_text
from napari_vol2vol.ui.runs_list import RunEntry, RunsList
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.simulation import simulated
from napari_vol2vol.ui.stream_timer import StreamTimer
from napari_vol2vol.ui.tap_fields import TapFields
from napari_vol2vol.ui.volume_fields import VolumeFields
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role
from napari_vol2vol.ui.worker import RunJob, Translate

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_vol2vol.volume import Volume

WARNING = "color: #f2c14e;"
ERROR = "color: #ff7b72;"


class TranslateDock(QWidget):
    """Steps 1 to 4 from top to bottom, then *Run*.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    catalogue : Catalogue, optional
        What can be chosen; by default what is installed.
    translate, estimate : callable, optional
        Stand in for `engine.translate` and `engine.estimate`.
    """

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        catalogue: Catalogue | None = None,
        translate: Translate | None = None,
        estimate: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.volumes = VolumeFields(napari_viewer)
        self.method = MethodFields(catalogue or installed())
        self.conditions = ConditionFields(napari_viewer)
        self.options = OptionFields()
        self.taps = TapFields()
        self.more = MoreFields()
        self.bar = RunBar()
        self.runs = RunsList()
        self.curves = CurvesPanel(session_of(napari_viewer).curves)
        self.warnings, self.estimate_line = note(style=WARNING), note()
        self.timer = StreamTimer(settings.stream_hz(), self._renders_3d, self)
        self.controller = RunController(translate or _engine_translate, self.timer, self)
        self.estimator = Estimator(estimate or _engine_estimate, self)
        self.report = RunReport(self)
        self.loading = RawLoading(self)
        self.opening = RunOpening(napari_viewer, self)
        self._closed = self._run_when_ready = False
        self._lay_out()
        self._connect()
        set_role(self, "side")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self.destroyed.connect(partial(_close_if_there, ref(self)))
        session_of(napari_viewer).docks["Translate"] = self
        self._on_changed()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the width in which nothing is cut off."""
        return QSize(350, 760)

    # ------------------------------------------------------------------ building

    def _lay_out(self) -> None:
        self.more_section = section("More", self.more)
        self.curves_section = section("Curves", self.curves)
        self.taps_section = section("Show while sampling", self.taps)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(6, 4, 14, 4)
        column.setSpacing(7)
        self.options_section = section("System", self.options)
        sections = (self.options_section, self.more_section, self.taps_section)
        parts = (self.volumes, self.method, self.conditions, *sections, self.warnings)
        for widget in (*parts, self.estimate_line, self.bar, self.runs, self.curves_section):
            column.addWidget(widget)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.setMinimumWidth(290)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def _connect(self) -> None:
        for fields in (self.volumes, self.method, self.conditions, self.options, self.more):
            fields.changed.connect(self._on_changed)
        self.volumes.load_asked.connect(lambda: self.loading.ask(self.method.task_object))
        self.loading.loaded.connect(self._on_loaded)
        self.loading.failed.connect(self.bar.show_status)
        self.estimator.estimated.connect(self._on_estimated)
        self.bar.run_asked.connect(self.run)
        self.bar.again_asked.connect(self.run_another_seed)
        self.bar.pause_asked.connect(self.controller.pause)
        self.bar.resume_asked.connect(self.controller.resume)
        self.bar.cancel_asked.connect(self.controller.cancel)
        self.runs.open_asked.connect(self.opening.ask)
        self.runs.export.said.connect(self.bar.show_status)
        self.opening.opened.connect(self._on_opened)
        self.opening.failed.connect(self.bar.show_status)
        self.controller.state_changed.connect(self.report.on_state)
        self.controller.event.connect(self.report.on_event)
        self.controller.progressed.connect(self.report.on_progress)
        self.controller.snapshot.connect(self.report.on_snapshot)
        self.controller.points.connect(session_of(self.viewer).curves.add)

    # ------------------------------------------------------------------ what can be asked for

    def values(self) -> dict[str, Any]:
        """Return the fields of the `Translation` as chosen."""
        values = {**self.method.values(), **self.more.values()}
        if "resume" in values:  # one recorded sample goes on
            values["samples"] = 1
        return values if self.options.empty else {**values, "options": self.options.values()}

    def run(self) -> None:
        """Start the run that is chosen; what cannot work is said in the status line."""
        from napari_vol2vol.engine.request import Translation

        try:
            request = Translation(**self.values())
            job = self._job(request)
        except Vol2VolError as error:
            self.bar.show_failure(str(error), "")
            return
        shared = self.volumes.shared_layers() if self.method.task_object.shares_window else []
        self.report.begin(request, shared, job)
        self.controller.start(job)

    def run_another_seed(self) -> None:
        """Run the same again with the next seed."""
        self.more.seed.setValue(self.more.seed.value() + 1)
        self.run()

    def run_when_ready(self) -> None:
        """Start as soon as the estimate is there: by then torch is imported, off the main thread."""
        self._run_when_ready = True
        self._on_changed()

    def close_dock(self) -> None:
        """End a run under way and disconnect; can be called twice, also after Qt deleted the widget."""
        if self._closed:
            return
        self._closed = True
        self.volumes.close_fields()
        self.conditions.close_fields()
        self.curves.close_curves()
        if self.controller.worker is not None:
            self.controller.worker.quit()
        try:
            self.timer.stop()
            self.deleteLater()
        except RuntimeError:  # Qt has deleted us already
            return

    # ------------------------------------------------------------------ reactions

    def _job(self, request: Any) -> RunJob:
        volume, reference = self.volumes.source_volume(), self.volumes.reference_volume()
        if self.volumes.simulate.isChecked():
            settings = self.volumes.simulation.values()
            pair = partial(simulated, volume, self.method.task_object, self.method.card, settings)
        else:
            pair = partial(as_they_are, volume, reference)
        resampled = self.conditions.resample.isChecked()
        task = self.method.task_object
        registered = self.conditions.register.isChecked()
        prepare = partial(
            inputs_of_run, request, task, pair, self.conditions.volumes(), resampled, registered
        )
        title = f"{volume.name} · {request.system}"
        return RunJob(f"translation {title}", request, prepare, self.more.new_run_folder(title))

    def _ask_for_conditions(self) -> None:
        """Ask for the inputs of the bundle that the volume itself is not."""
        task, inputs = self.method.task_object, self.method.inputs
        self.volumes.fit_to(task)
        wanted = [name for name in inputs if name != "base"]
        if not task.simulates:
            layer = self.volumes.volume.layer
            own = modality_of(layer) if layer is not None else None
            wanted = [name for name in wanted if name != own] if len(wanted) > 1 else []
        has_reference = self.volumes.reference.layer is not None
        other_phase = has_reference and task.name.startswith("contrast-")
        may_resample = bool(wanted) or (has_reference and not task.simulates)
        self.conditions.ask_for(wanted, may_resample=may_resample, may_register=other_phase)

    def _on_changed(self) -> None:
        system = self.method.system_info
        self.more.allow_for(system)
        with QSignalBlocker(self.options):
            self.options.ask_for(getattr(system, "options", ()))
        self.options_section.setVisible(not self.options.empty)
        self._ask_for_conditions()
        missing = system.needs_bundle and self.method.card is None
        reason = "open a volume first" if self.volumes.volume.layer is None else self.conditions.missing()
        reason = reason or self.volumes.missing_measurement(self.method.task_object)
        self.bar.block(f"Bundle: none is installed for {system.title}" if missing else reason)
        if missing or reason:
            self.warnings.setVisible(False)
            self._show_estimate(f"Bundle: none is installed for {system.title}" if missing else reason)
            return
        self._show_estimate("estimating …")
        try:
            volume = self.volumes.source_volume()
        except Vol2VolError as error:
            self._on_estimated(EstimateResult(error=f"Volume: {error}"))
            return
        simulate = self.volumes.simulate.isChecked()
        task, card = self.method.task_object, self.method.card
        self.estimator.ask(partial(question_of, self.values(), volume, task, card, simulate))

    def _on_opened(self, entry: RunEntry) -> None:
        self.runs.add(entry)
        session_of(self.viewer).runs.append(entry)
        session_of(self.viewer).runs_changed.emit()
        self.bar.show_status(f"opened {entry.title}")

    def _on_loaded(self, source: Volume, pictures: dict[str, Volume]) -> None:
        """Show a measurement that was read, and make it the volume of the next run."""
        data, keywords, _ = source.to_layer()
        layer = self.viewer.add_image(data, **keywords, contrast_limits=image_limits(data))
        show_pictures(self.viewer, pictures, source)
        self.volumes.simulate.setChecked(False)
        self.volumes.volume.choose(layer)
        self.bar.show_status(f"loaded {source.name}")

    def _on_estimated(self, result: EstimateResult) -> None:
        start, self._run_when_ready = self._run_when_ready, False
        if result.error:
            self._show_estimate(result.error, ERROR)
            self.warnings.setVisible(False)
            self.bar.block(result.error)
            return
        estimate = result.estimate
        self._show_estimate(estimate_text(estimate.memory_bytes, estimate.seconds, estimate.device))
        self.warnings.setText("\n".join(f"⚠ {warning}" for warning in estimate.warnings))
        self.warnings.setVisible(bool(estimate.warnings))
        self.bar.block("")
        if start:
            self.run()

    def _show_estimate(self, text: str, style: str = "color: #9aa1ab;") -> None:
        self.estimate_line.setText(text)
        self.estimate_line.setStyleSheet(f"{style} font-size: 11px;")

    def _renders_3d(self) -> bool:
        return self.viewer.dims.ndisplay == 3

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)


def _engine_translate(*args: Any, **keywords: Any) -> Any:
    from napari_vol2vol.engine import translate

    return translate(*args, **keywords)


def _engine_estimate(*args: Any) -> Any:
    from napari_vol2vol.engine import estimate

    return estimate(*args)


def _close_if_there(widget: Callable[[], TranslateDock | None], destroyed: object = None) -> None:
    dock = widget()
    if dock is not None:
        dock.close_dock()
