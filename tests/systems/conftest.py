import pytest


@pytest.fixture(scope="session")
def baseline_folders(tmp_path_factory):
    from systems.baseline_bundles import make_baselines

    return make_baselines(tmp_path_factory.mktemp("baselines"), planes=("axial", "sagittal"))


@pytest.fixture
def baselines(baseline_folders, monkeypatch):
    """Search the tiny bundles of the baselines first."""
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(next(iter(baseline_folders.values())).parent))
    return baseline_folders


@pytest.fixture(scope="session")
def low(head):
    from napari_vol2vol.tasks import get_task

    return get_task("super-resolution").degrade(head)


@pytest.fixture(scope="session")
def scan():
    """A small torso measured by 12 views."""
    from napari_vol2vol.tasks import get_task
    from reconstruction_volumes import small_torso

    task = get_task("sparse-view-ct")
    return task.degrade(small_torso(), task.simulation(views=12))


@pytest.fixture(scope="session")
def kspace():
    """A small head in k-space, a third of it sampled."""
    from napari_vol2vol.tasks import get_task
    from reconstruction_volumes import small_head

    task = get_task("mri-reconstruction")
    return task.degrade(small_head(), task.simulation(acceleration=3.0, acs=0.2))
