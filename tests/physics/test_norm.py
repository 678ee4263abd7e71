import pytest
import torch

from napari_vol2vol.physics.norm import largest_eigenvalue


def test_it_is_the_largest_eigenvalue_of_all_systems():
    g = torch.Generator().manual_seed(2)
    roots = torch.randn(3, 30, 30, generator=g, dtype=torch.float64)
    matrices = roots @ roots.mT
    exact = float(torch.linalg.eigvalsh(matrices).max())
    found = largest_eigenvalue(lambda x: (matrices @ x.mT).mT, (3, 1, 30), axes=(-2, -1))
    assert found == pytest.approx(exact, rel=1e-8)


def test_projections_and_nothing_at_all_have_their_norm():
    keep = torch.tensor([1.0, 0.0, 1.0])
    assert largest_eigenvalue(lambda x: x * keep, (1, 1, 3)) == pytest.approx(1)
    assert largest_eigenvalue(torch.zeros_like, (1, 1, 3)) == 0
