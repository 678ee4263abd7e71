"""Keep a second `ViewerModel` on the layers of the main viewer: arrays shared, looks copied, one way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.events import Event

#: What is copied from a layer to its mirror as soon as it changes; a layer type that lacks one is left alone.
SYNCED = (
    "data",
    "visible",
    "opacity",
    "blending",
    "contrast_limits_range",
    "contrast_limits",
    "gamma",
    "colormap",
    "interpolation2d",
    "projection_mode",
    "scale",
    "translate",
    "contour",
    "show_selected_label",
    "selected_label",
    "name",
)
#: Edits in place that napari announces without ``data``: the mirror only has to slice again.
EDITED_IN_PLACE = ("paint", "labels_update")


class LayerPair:
    """One layer of the main viewer and the copy of it in a mirror (main thread only).

    Without ``follow_visible`` the copy is shown and hidden on its own.
    """

    def __init__(self, source: Layer, *, follow_visible: bool = True) -> None:
        self.source = source
        self.copy = copy_of(source)
        self._synced = tuple(name for name in SYNCED if follow_visible or name != "visible")
        for name in self._events(self._synced):
            source.events[name].connect(self._on_change)
        for name in self._events(EDITED_IN_PLACE):
            source.events[name].connect(self._on_edit)

    def disconnect(self) -> None:
        """Stop following the source."""
        for name in self._events(self._synced):
            self.source.events[name].disconnect(self._on_change)
        for name in self._events(EDITED_IN_PLACE):
            self.source.events[name].disconnect(self._on_edit)

    def _events(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if name in self.source.events.emitters]

    def _on_change(self, event: Event) -> None:
        name = event.type
        if name == "data" and isinstance(self.source, Image) and _same_shape(self.source, self.copy):
            with self.copy.events.data.blocker():  # its viewer need not measure everything anew: 5 ms saved
                self.copy.data = self.source.data
        elif hasattr(self.copy, name):
            setattr(self.copy, name, getattr(self.source, name))

    def _on_edit(self, event: Event) -> None:
        self.copy.refresh(thumbnail=False, highlight=False, extent=False)


class LayerMirror:
    """Mirrors the layers of ``viewer`` into ``model`` and follows adding, removing, renaming and reordering.

    Layers with fewer than three axes have no place in three orthogonal planes and are left out.
    """

    def __init__(self, viewer: ViewerModel, model: ViewerModel) -> None:
        self._layers = viewer.layers
        self._model = model
        self._pairs: dict[Layer, LayerPair] = {}
        for layer in self._layers:
            self._add(layer)
        self._layers.events.inserted.connect(self._on_inserted)
        self._layers.events.removed.connect(self._on_removed)
        self._layers.events.reordered.connect(self._on_reordered)
        # Removing a layer costs napari a garbage collection per canvas, removing many in a batch costs one.
        self._layers.events.begin_batch.connect(self._on_batch)
        self._layers.events.end_batch.connect(self._on_batch)

    def copy_of(self, layer: Layer) -> Layer | None:
        """Return the mirror of a main layer, None where there is none."""
        pair = self._pairs.get(layer)
        return pair.copy if pair else None

    def close(self, *, clear: bool = True) -> None:
        """Disconnect from the main viewer; ``clear`` also empties the mirror. Can be called twice."""
        self._layers.events.inserted.disconnect(self._on_inserted)
        self._layers.events.removed.disconnect(self._on_removed)
        self._layers.events.reordered.disconnect(self._on_reordered)
        self._layers.events.begin_batch.disconnect(self._on_batch)
        self._layers.events.end_batch.disconnect(self._on_batch)
        for layer in list(self._pairs):
            self._pairs.pop(layer).disconnect()
        if clear:
            self._model.layers.clear()

    def _add(self, layer: Layer) -> None:
        if layer.ndim < 3:
            return
        pair = self._pairs[layer] = LayerPair(layer)
        self._model.layers.append(pair.copy)

    def _on_inserted(self, event: Event) -> None:
        self._add(event.value)
        self._on_reordered()

    def _on_removed(self, event: Event) -> None:
        pair = self._pairs.pop(event.value, None)
        if pair is not None:
            pair.disconnect()
            self._model.layers.remove(pair.copy)

    def _on_batch(self, event: Event) -> None:
        self._model.layers.events[event.type]()

    def _on_reordered(self, event: Event | None = None) -> None:
        wanted = [self._pairs[layer].copy for layer in self._layers if layer in self._pairs]
        for index, copy in enumerate(wanted):
            found = self._model.layers.index(copy)
            if found != index:
                self._model.layers.move(found, index)


def _same_shape(one: Image, other: Image) -> bool:
    return not one.multiscale and one.data.shape == other.data.shape


def copy_of(layer: Layer) -> Layer:
    """Return a layer that shares the array of ``layer`` and looks the same.

    Axes without units count as mm, so that the mirrors always agree on their units.
    """
    data, state, kind = layer.as_layer_data_tuple()
    state: dict[str, Any] = dict(state)
    units = [str(unit) for unit in layer.units]
    state["units"] = tuple(units[:-3]) + tuple("mm" if unit == "pixel" else unit for unit in units[-3:])
    return Layer.create(data, state, kind)
