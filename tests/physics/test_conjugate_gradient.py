import torch

from napari_vol2vol.physics.conjugate_gradient import SLICE, VOLUME, conjugate_gradient


def systems(count, n, seed=0):
    """SPD matrices (count, n, n) of very different conditioning, as a map of tensors (count, 1, n)."""
    g = torch.Generator().manual_seed(seed)
    roots = torch.randn(count, n, n, generator=g, dtype=torch.float64)
    roots *= torch.logspace(-2, 2, count, dtype=torch.float64)[:, None, None]
    matrices = roots @ roots.mT + 1e-3 * torch.eye(n, dtype=torch.float64)
    return matrices, lambda x: (matrices @ x.mT).mT


def test_n_steps_solve_n_equations():
    matrices, matrix = systems(4, 6)
    b = torch.randn(4, 1, 6, dtype=torch.float64)
    exact = torch.linalg.solve(matrices, b.mT).mT
    found = conjugate_gradient(matrix, b, torch.zeros_like(b), steps=12, axes=SLICE)
    assert torch.allclose(found, exact, rtol=1e-6)


def test_a_slice_ends_up_the_same_whatever_lies_beside_it():
    matrices, matrix = systems(5, 8)
    b = torch.randn(5, 1, 8, dtype=torch.float64)
    together = conjugate_gradient(matrix, b, torch.zeros_like(b), steps=4, tolerance=1e-3, axes=SLICE)
    for i in range(5):
        alone = conjugate_gradient(
            lambda x, i=i: (matrices[i : i + 1] @ x.mT).mT, b[i : i + 1], torch.zeros(1, 1, 8).double(),
            steps=4, tolerance=1e-3, axes=SLICE,
        )  # fmt: skip
        assert torch.allclose(alone, together[i : i + 1], rtol=1e-10)


def test_one_global_inner_product_would_give_a_worse_answer_in_every_system():
    _, matrix = systems(5, 8)
    b = torch.randn(5, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    start = torch.zeros_like(b)
    truth = conjugate_gradient(matrix, b, start, steps=60, axes=SLICE)
    apart, mixed = (conjugate_gradient(matrix, b, start, steps=4, axes=axes) for axes in (SLICE, VOLUME))
    errors = [((x - truth) * matrix(x - truth)).sum(-1).squeeze() for x in (apart, mixed)]
    assert (errors[0] <= errors[1] * (1 + 1e-9)).all()  # the least energy in the same Krylov space
    assert errors[0].sum() < 0.9 * errors[1].sum()


def test_a_converged_system_stays_while_the_others_go_on():
    matrices, matrix = systems(2, 6)
    b = torch.randn(2, 1, 6, dtype=torch.float64)
    start = torch.zeros_like(b)
    start[0] = torch.linalg.solve(matrices[0], b[0].mT).mT
    found = conjugate_gradient(matrix, b, start, steps=3, tolerance=1e-6, axes=SLICE)
    assert torch.equal(found[0], start[0])
    assert not torch.equal(found[1], start[1])


def test_it_stops_at_the_tolerance():
    calls = []
    _, matrix = systems(1, 40)

    def counted(x):
        calls.append(1)
        return matrix(x)

    b = torch.randn(1, 1, 40, dtype=torch.float64)
    loose = conjugate_gradient(counted, b, torch.zeros_like(b), steps=1000, tolerance=0.1)
    assert (b - matrix(loose)).norm() <= 0.1 * b.norm()
    assert len(calls) < 1001


def test_a_zero_right_hand_side_and_a_singular_matrix_are_no_trouble():
    b = torch.zeros(2, 1, 4)
    b[1, 0, 0] = 1
    projection = torch.tensor([1.0, 1.0, 0.0, 0.0])
    found = conjugate_gradient(lambda x: x * projection, b, torch.ones(2, 1, 4), steps=9, axes=SLICE)
    assert torch.allclose(found, torch.tensor([[[0.0, 0.0, 1.0, 1.0]], [[1.0, 0.0, 1.0, 1.0]]]))


def test_the_gradient_of_the_steps_is_right():
    matrices, _ = systems(2, 5)
    scaled = (matrices / matrices.amax((1, 2), keepdim=True)).detach()

    def solve(b, x):
        return conjugate_gradient(lambda v: (scaled @ v.mT).mT, b, x, steps=3, axes=SLICE)

    b = torch.randn(2, 1, 5, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 1, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(solve, (b, x))
