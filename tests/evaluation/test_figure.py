import builtins

import numpy as np
import pytest

from napari_vol2vol.anatomical_planes import PLANES
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.figure import Shown, draw, require_matplotlib, write_figures
from napari_vol2vol.evaluation.framing import frame_of

SYSTEMS = ["trilinear", "smooth-inverse", "tpdm", "palette"]


@pytest.fixture(scope="module")
def drawn(compared):
    suite, (case, _), _, _ = compared
    rng = np.random.default_rng(0)

    def noisy():
        return case.reference.data + rng.normal(0, 0.05, case.reference.shape).astype(np.float32)

    shown = [Shown("trilinear", "20 dB", noisy()), Shown("tpdm", "21 dB", noisy(), np.abs(noisy()) / 10)]
    return suite, case, shown, draw(suite, case, shown)


def panels(figure):
    return {axes.get_label(): axes for axes in figure.axes}


def picture(axes):
    (image,) = axes.images
    return image


def test_there_is_a_panel_for_each_plane_part_and_column(drawn):
    columns = ("reference", "input", "trilinear", "tpdm")
    expected = {f"{p.name}/{part}/{c}" for p in PLANES for part in ("slice", "zoom") for c in columns}
    maps = {"trilinear", "tpdm", "scale"}
    expected |= {f"{p.name}/{part}/{c}" for p in PLANES for part in ("uncertainty", "error") for c in maps}
    assert set(panels(drawn[-1])) == expected


def test_panels_show_the_plane_and_the_box_they_say(drawn):
    suite, case, shown, figure = drawn
    frame, found = frame_of(suite.view, case.reference), panels(figure)
    for plane in PLANES:
        for name, data in (("reference", case.reference.data), ("tpdm", shown[1].mean)):
            slices = picture(found[f"{plane.name}/slice/{name}"]).get_array()
            assert np.array_equal(slices, frame.slice_of(data, plane))
            zoom = picture(found[f"{plane.name}/zoom/{name}"]).get_array()
            assert np.array_equal(zoom, frame.zoom_of(data, plane))
        error = picture(found[f"{plane.name}/error/tpdm"]).get_array()
        assert np.array_equal(error, frame.slice_of(shown[1].mean - case.reference.data, plane))
        uncertainty = picture(found[f"{plane.name}/uncertainty/tpdm"]).get_array()
        assert np.array_equal(uncertainty, frame.slice_of(shown[1].uncertainty, plane))


def test_the_input_is_shown_as_the_blocks_it_is(drawn):
    _, case, _, figure = drawn
    found = picture(panels(figure)["axial/slice/input"]).get_array()
    blocks = case.source.data[case.reference.shape[0] // 2 // 4][::-1, ::-1]
    assert np.array_equal(found, np.kron(blocks, np.ones((4, 4), np.float32)))


def test_limits_are_shared_and_those_of_the_scale(drawn):
    suite, _, _, figure = drawn
    found = panels(figure)
    for plane in PLANES:
        for name in ("reference", "input", "trilinear", "tpdm"):
            assert picture(found[f"{plane.name}/slice/{name}"]).get_clim() == (0, 1)
        for name in ("trilinear", "tpdm"):
            limits = picture(found[f"{plane.name}/error/{name}"]).get_clim()
            assert limits == (-suite.view.error_limit, suite.view.error_limit)
        scale = found[f"{plane.name}/error/scale"]
        assert scale.get_xlim() == (-suite.view.error_limit, suite.view.error_limit)
        assert "data range" in scale.get_xlabel()
        scale = found[f"{plane.name}/uncertainty/scale"]
        assert scale.get_xlim() == picture(found[f"{plane.name}/uncertainty/tpdm"]).get_clim()


def test_a_system_of_one_answer_says_that_it_has_no_uncertainty(drawn):
    axes = panels(drawn[-1])["coronal/uncertainty/trilinear"]
    assert not axes.images
    assert "no uncertainty" in axes.texts[0].get_text()


def test_orientation_letters_stand_at_the_edges_of_the_reference(drawn):
    for plane in PLANES:
        axes = panels(drawn[-1])[f"{plane.name}/slice/reference"]
        placed = {text.get_text(): text.get_position() for text in axes.texts}
        for edge, letter in plane.letters().items():
            x, y = placed[letter]
            assert {"left": x < 0.1, "right": x > 0.9, "top": y > 0.9, "bottom": y < 0.1}[edge]


def test_panels_keep_the_proportions_and_never_overlap(drawn):
    suite, case, _, figure = drawn
    frame = frame_of(suite.view, case.reference)
    width, height = figure.get_size_inches()
    boxes = {label: axes.get_position() for label, axes in panels(figure).items()}
    for plane in PLANES:
        box = boxes[f"{plane.name}/slice/tpdm"]
        assert box.height * height / (box.width * width) == pytest.approx(frame.ratio(plane))
    listed = list(boxes.values())
    for i, one in enumerate(listed):
        assert 0 <= one.x0 < one.x1 <= 1
        assert 0 <= one.y0 < one.y1 <= 1
        for other in listed[i + 1 :]:
            apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
            assert apart


def test_one_picture_a_volume_is_written_with_every_system(compared, tmp_path, monkeypatch):
    from napari_vol2vol.evaluation import figure as module

    suite, cases, rows, output = compared
    seen, kept = [], module.draw
    monkeypatch.setattr(
        module, "draw", lambda s, c, shown: seen.append([x.label for x in shown]) or kept(s, c, shown)
    )
    monkeypatch.setattr(module, "DPI", 20)
    paths = write_figures(suite, cases, rows, output)
    assert [p.name for p in paths] == ["one.png", "two.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in paths)
    assert seen == [SYSTEMS, SYSTEMS]


def test_a_missing_matplotlib_is_answered_with_the_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingsError, match=r"matplotlib is not installed.*\[all\].*--no-figures"):
        require_matplotlib()
