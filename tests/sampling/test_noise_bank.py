import torch

from napari_vol2vol.sampling.noise_bank import NoiseBank


def test_the_same_key_gives_the_same_noise_whatever_was_drawn_before():
    bank = NoiseBank(7, 2)
    first = bank.draw(5, (3, 4, 5))
    bank.draw(6, (100,))
    assert torch.equal(first, NoiseBank(7, 2).draw(5, (3, 4, 5)))


def test_seed_sample_and_step_each_change_the_noise():
    reference = NoiseBank(1, 1).draw(1, (1000,))
    for other in (
        NoiseBank(2, 1).draw(1, (1000,)),
        NoiseBank(1, 2).draw(1, (1000,)),
        NoiseBank(1, 1).draw(2, (1000,)),
    ):
        assert abs(float(torch.corrcoef(torch.stack([reference, other]))[0, 1])) < 0.12


def test_noise_is_standard_normal():
    draws = NoiseBank(3).draw(0, (200_000,))
    assert abs(float(draws.mean())) < 0.01
    assert abs(float(draws.std()) - 1) < 0.01
