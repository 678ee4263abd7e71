import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.bridge import BRIDGE_SAMPLERS
from napari_vol2vol.sampling.samplers import SAMPLERS
from napari_vol2vol.systems.registry import BRIDGE_SOLVERS, DIFFUSION_SOLVERS, SOLVERS, SYSTEMS, get_system


def test_the_solvers_a_request_may_name_are_those_that_exist():
    assert tuple(SAMPLERS) == DIFFUSION_SOLVERS
    assert tuple(BRIDGE_SAMPLERS) == BRIDGE_SOLVERS
    assert {s for info in SYSTEMS.values() for s in info.solvers} | {"auto"} == set(SOLVERS)
    assert all(set(info.seedless) <= set(info.solvers) for info in SYSTEMS.values())


def test_auto_is_the_first_solver_of_a_system():
    assert get_system("tpdm").solver("auto") == "ddim"
    assert get_system("i2sb").solver("auto") == "i2sb-posterior"
    assert get_system("i2sb").solver("i2sb-ode") == "i2sb-ode"


@pytest.mark.parametrize(
    ("system", "solver", "message"),
    [
        ("i2sb", "ddim", "solver: found 'ddim', system i2sb accepts auto, i2sb-posterior, i2sb-ode"),
        ("tpdm", "i2sb-ode", "solver: found 'i2sb-ode', system tpdm accepts auto, ddim, ddpm, dpmpp_2m"),
    ],
)
def test_a_solver_that_does_not_fit_is_named_with_those_that_do(system, solver, message):
    with pytest.raises(SettingsError, match=message):
        get_system(system).solver(solver)


def test_every_system_has_a_task_and_a_module():
    from importlib.util import find_spec

    from napari_vol2vol.tasks import TASKS

    for name, info in SYSTEMS.items():
        assert any(name in task.systems for task in TASKS.values())
        assert find_spec(f"napari_vol2vol.systems.{info.module}") is not None
