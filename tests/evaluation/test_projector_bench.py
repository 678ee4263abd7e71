import torch

from napari_vol2vol.evaluation.projector_bench import bench_projectors, rotate_and_sum


def test_both_projectors_are_right_and_matched_and_ours_is_faster():
    ours, rotated = bench_projectors(64, 8, 12, repeats=2)
    assert (ours.method, rotated.method) == ("sparse system matrix", "rotate and sum")
    assert ours.error < 0.02
    assert ours.error < 1.1 * rotated.error
    assert max(ours.mismatch, rotated.mismatch) < 1e-6
    assert ours.seconds < rotated.seconds / 2
    assert ours.build_seconds > 0


def test_rotating_by_right_angles_is_exact():
    volume = torch.randn(2, 9, 9)
    views = rotate_and_sum(volume, torch.tensor([0.0, torch.pi / 2]), 9)
    assert torch.allclose(views[:, 0], volume.sum(1), atol=1e-4)
    assert torch.allclose(views[:, 1], volume.sum(2).flip(-1), atol=1e-4)
    assert views.dtype == torch.float32


def test_the_volume_may_have_any_number_of_slices():
    ours, _ = bench_projectors(16, 3, 4, repeats=1)
    assert 0 < ours.error < 0.2
