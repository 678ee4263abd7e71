import pytest

from napari_vol2vol.io import write_volume


@pytest.fixture(scope="session")
def head_folder(head, tmp_path_factory):
    """A folder with `head.nii.gz`."""
    folder = tmp_path_factory.mktemp("heads")
    write_volume(head, folder / "head.nii.gz")
    return folder


@pytest.fixture(scope="session")
def compared(head_folder, tiny_bundle_folder, tmp_path_factory):
    """Suite, cases, rows and folder of one whole comparison."""
    from evaluation.small_suites import run, small_suite

    output = tmp_path_factory.mktemp("compared")
    suite = small_suite(head_folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOL2VOL_BUNDLES", str(tiny_bundle_folder))
        cases, rows = run(suite, output)
    return suite, cases, rows, output
