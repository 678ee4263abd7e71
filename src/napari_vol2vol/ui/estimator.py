"""Estimates off the main thread: the first one imports torch, which takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal
from superqt.utils import create_worker

from napari_vol2vol.errors import Vol2VolError

if TYPE_CHECKING:
    from napari_vol2vol.volume import Volume

DELAY_MS = 150


@dataclass(frozen=True)
class EstimateResult:
    """An `engine.Estimate`, or the sentence that says why there is none."""

    estimate: Any = None
    error: str = ""


class Estimator(QObject):
    """Answers the newest question only; ``estimated`` is emitted on the main thread."""

    estimated = Signal(object)

    def __init__(self, estimate: Callable[[Any, Volume], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._estimate = estimate
        self._question: Callable[[], tuple[dict[str, Any], Volume]] | None = None
        self._busy = False
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self._on_timeout)

    def ask(self, question: Callable[[], tuple[dict[str, Any], Volume]]) -> None:
        """Estimate soon; ``question`` returns the request's fields and its input, on the worker thread."""
        self._question = question
        self._timer.start()

    def _on_timeout(self) -> None:
        if self._busy or self._question is None:
            return
        question, self._question, self._busy = self._question, None, True
        worker = create_worker(answer, question, self._estimate, _ignore_errors=True)
        worker.returned.connect(self._on_answer)
        worker.start()

    def _on_answer(self, result: EstimateResult) -> None:
        self._busy = False
        if self._question is not None:
            self._timer.start()
        else:
            self.estimated.emit(result)


def answer(
    question: Callable[[], tuple[dict[str, Any], Volume]], estimate: Callable[[Any, Volume], Any]
) -> EstimateResult:
    """Return the estimate for a question (worker thread); never raises."""
    try:
        from napari_vol2vol.engine.request import Translation

        values, source = question()
        return EstimateResult(estimate(Translation(**values), source))
    except Vol2VolError as error:
        return EstimateResult(error=str(error))
    except Exception as error:  # noqa: BLE001 (an estimate is a courtesy: say what went wrong and go on)
        return EstimateResult(error=f"{type(error).__name__}: {error}")
