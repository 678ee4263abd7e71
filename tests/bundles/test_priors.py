import pytest

from napari_vol2vol.bundles.library import channels_of, find_bundle, list_bundles
from napari_vol2vol.errors import BundleError
from prior_bundles import make_prior, use_only


@pytest.fixture(autouse=True)
def priors(tmp_path, monkeypatch):
    make_prior(tmp_path, 1)
    make_prior(tmp_path, 2)
    use_only(tmp_path, monkeypatch)


def test_a_prior_serves_every_reconstruction_and_nothing_else():
    for task in ("sparse-view-ct", "mri-reconstruction"):
        assert {"tiny-prior-1", "tiny-prior-2"} <= {c.name for c in list_bundles(task, "d3ip")}
    assert not {c.name for c in list_bundles("super-resolution")} & {"tiny-prior-1", "tiny-prior-2"}
    with pytest.raises(BundleError, match="tiny-prior-1 serves task reconstruction-prior"):
        find_bundle("tiny-prior-1", "super-resolution", "d3ip")


@pytest.mark.parametrize("channels", [1, 2])
def test_the_channels_of_the_image_choose_the_prior(channels):
    card = find_bundle(None, "mri-reconstruction", "dds", ("T1w",), channels)
    assert channels_of(card) == channels


def test_a_named_prior_of_other_channels_is_refused():
    with pytest.raises(
        BundleError, match=r"2 channel\(s\), the measurement is of one with 1 \(1: real, 2: complex\)"
    ):
        find_bundle("tiny-prior-2", "sparse-view-ct", "dds", (), 1)
    with pytest.raises(BundleError, match=r"and images of 3 channel\(s\) is installed"):
        find_bundle(None, "sparse-view-ct", "dds", (), 3)
