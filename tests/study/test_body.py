import numpy as np

from napari_vol2vol.study.body import body_mask, is_ct
from napari_vol2vol.volume import Volume


def test_the_body_of_a_ct_keeps_its_lungs_and_leaves_the_table_out():
    data = np.full((8, 40, 40), -1000, np.float32)
    data[:, 10:34, 8:32] = 40
    data[:, 18:26, 12:20] = -850  # a lung
    data[:, 3:4, 2:38] = 100  # a table, one voxel thick
    mask = body_mask(Volume.from_array(data, units="HU", modality="CT"))
    assert mask[:, 12:32, 10:30].all()
    assert not mask[:, :6].any()


def test_a_head_in_noisy_air_keeps_its_dark_tissue():
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, 24)] * 3, indexing="ij")
    radius = z**2 + y**2 + x**2
    data = np.where(radius < 0.6, 800, 0) + np.where(radius < 0.05, -650, 0) + 6 * rng.random(radius.shape)
    mask = body_mask(Volume.from_array(data.astype(np.float32)))
    assert mask[radius < 0.55].all()
    assert not mask[radius > 0.75].any()


def test_hounsfield_units_are_told_by_units_modality_or_air():
    zero = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    assert not is_ct(Volume.from_array(zero))
    assert is_ct(Volume.from_array(zero, units="HU"))
    assert is_ct(Volume.from_array(zero, modality="CT"))
    assert is_ct(Volume.from_array(zero - 1000))
    assert not is_ct(Volume.from_array(zero - 1000), units="a.u.")
