"""The layer that shows the step of a recorded run that the slider is at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vol2vol.evaluation.recorded_run import X0, Trajectory
from napari_vol2vol.ui.result_layers import image_limits, tap_look
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

WORDS = {"x_t": "x_t", "noise": "noise", X0: "x̂0"}


class TrajectoryLayer:
    """Shows one run; the layer of what was shown before stays in the list, with its last step."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.run: Trajectory | None = None
        self.layer: Image | None = None
        self._by_kind: dict[str, Image] = {}
        self._place: dict[str, Any] = {}

    def take(self, run: Trajectory | None) -> None:
        """Show another run from now on, in layers of its own; the same run keeps its layers."""
        if run is not None and self.run is not None and run.folder == self.run.folder:
            self.run = run
            return
        self.run, self.layer, self._by_kind, self._place = run, None, {}, {}

    def show(self, sample: int, step: int, kind: str) -> np.ndarray:
        """Show a step and return it.

        Raises
        ------
        VolumeError
            If it was not recorded or cannot be read.
        """
        array = self.run.array(sample, step, kind)
        layer = self._by_kind.get(kind)
        if layer is None or layer not in self._viewer.layers:
            layer = self._add(array, sample, kind)
        elif layer.data.shape == array.shape:
            layer.data = array
        if self.layer is not layer:
            if self.layer is not None:
                self.layer.visible = False
            layer.visible = True
            self.layer = layer
        layer.metadata["vol2vol_trajectory_sample"] = sample
        return array

    def _add(self, array: np.ndarray, sample: int, kind: str) -> Image:
        look = tap_look(kind, array)
        if kind == X0:
            last = self.run.array(sample, self.run.steps(sample)[-1])
            look = {"contrast_limits": image_limits(last)}
        name = f"{self.run.folder.name} · {WORDS[kind]} · trajectory"
        metadata = {"vol2vol_result": "trajectory"} if kind == X0 else {"vol2vol_result": f"tap {kind}"}
        place = self._placed(array)
        metadata = {**(place.get("metadata") or {}), **metadata}
        layer = self._viewer.add_image(array, **{**place, "name": name, "metadata": metadata, **look})
        self._by_kind[kind] = layer
        return layer

    def _placed(self, array: np.ndarray) -> dict[str, Any]:
        """Return where the layer lies: on the grid of the run's first result, if that is there."""
        from napari_vol2vol.io import read_volume

        if not self._place:
            paths = sorted(self.run.folder.glob("sample-*.nii.gz"))
            grid = read_volume(paths[0]) if paths else None
            if grid is None or grid.shape != array.shape:
                grid = Volume.from_array(array)
            _, self._place, _ = grid.to_layer()
        return self._place
