import sys

import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.io.raw_data import read_coil_maps, read_kspace, read_mask, read_sinogram

RNG = np.random.default_rng(0)
KSPACE = (RNG.normal(size=(3, 2, 5, 6)) + 1j * RNG.normal(size=(3, 2, 5, 6))).astype(np.complex64)
LINES = np.array([1, 0, 1, 1, 0, 0])


@pytest.mark.parametrize(("layout", "order"), [(None, "czyx"), ("zcyx", "zcyx"), ("yxcz", "yxcz")])
def test_k_space_in_numpy_may_have_its_axes_in_any_order(layout, order, tmp_path):
    stored = np.transpose(KSPACE, ["czyx".index(letter) for letter in order])
    np.save(tmp_path / "k.npy", stored)
    assert np.array_equal(read_kspace(tmp_path / "k.npy", layout).data, KSPACE)


def test_one_coil_and_one_slice_need_no_axis(tmp_path):
    np.save(tmp_path / "volume.npy", KSPACE[0])
    np.save(tmp_path / "slice.npy", KSPACE[0, 1])
    assert np.array_equal(read_kspace(tmp_path / "volume.npy").data, KSPACE[:1])
    assert np.array_equal(read_kspace(tmp_path / "slice.npy").data, KSPACE[:1, 1:])


def test_pairs_of_real_numbers_are_complex(tmp_path):
    np.savez(tmp_path / "k.npz", kspace=np.stack([KSPACE.real, KSPACE.imag], -1), other=np.zeros(3))
    assert np.array_equal(read_kspace(tmp_path / "k.npz").data, KSPACE)


def test_a_centre_at_index_zero_is_moved_to_the_middle(tmp_path):
    np.save(tmp_path / "k.npy", np.fft.ifftshift(KSPACE, axes=(-2, -1)))
    assert np.array_equal(read_kspace(tmp_path / "k.npy", centred=False).data, KSPACE)


def test_the_mask_is_the_files_or_where_k_space_is_not_zero(tmp_path):
    np.savez(tmp_path / "stated.npz", kspace=KSPACE, mask=LINES)
    np.save(tmp_path / "found.npy", KSPACE * LINES)
    expected = np.broadcast_to(LINES != 0, (5, 6))
    assert np.array_equal(read_kspace(tmp_path / "stated.npz").mask, expected)
    assert np.array_equal(read_kspace(tmp_path / "found.npy").mask, expected)
    varying = KSPACE * LINES
    varying[:, 1] = KSPACE[:, 1]
    np.save(tmp_path / "varying.npy", varying)
    assert read_kspace(tmp_path / "varying.npy").mask.shape == (2, 5, 6)


def test_masks_coil_maps_and_sinograms_from_numpy(tmp_path):
    np.save(tmp_path / "mask.npy", np.eye(4))
    assert np.array_equal(read_mask(tmp_path / "mask.npy"), np.eye(4) != 0)
    np.save(tmp_path / "maps.npy", KSPACE[:, 0])
    assert np.array_equal(read_coil_maps(tmp_path / "maps.npy"), KSPACE[:, :1])
    sinogram = RNG.normal(size=(2, 7, 9))
    np.savez(tmp_path / "s.npz", sinogram=sinogram, angles_deg=np.arange(7) * 3.0)
    read = read_sinogram(tmp_path / "s.npz")
    assert np.allclose(read.data, sinogram)
    assert read.data.dtype == np.float32
    assert read.angles_deg == tuple(np.arange(7) * 3.0)
    np.save(tmp_path / "turned.npy", sinogram.transpose(2, 1, 0))
    turned = read_sinogram(tmp_path / "turned.npy", "bvz")
    assert np.allclose(turned.data, sinogram)
    assert turned.angles_deg is None


def test_bad_files_name_what_was_found(tmp_path):
    np.save(tmp_path / "real.npy", KSPACE.real)
    with pytest.raises(VolumeError, match=r"real\.npy: found values of type float32"):
        read_kspace(tmp_path / "real.npy")
    np.save(tmp_path / "k.npy", KSPACE)
    with pytest.raises(VolumeError, match=r"layout: found 'cyx' for an array of shape \(3, 2, 5, 6\)"):
        read_kspace(tmp_path / "k.npy", "cyx")
    np.savez(tmp_path / "two.npz", a=KSPACE, b=KSPACE)
    with pytest.raises(VolumeError, match="found arrays a, b, accepted is one named kspace"):
        read_kspace(tmp_path / "two.npz")
    np.savez(tmp_path / "wide.npz", kspace=KSPACE, mask=np.ones(7))
    with pytest.raises(VolumeError, match=r"mask: found shape \(7,\)"):
        read_kspace(tmp_path / "wide.npz")
    (tmp_path / "k.mat").write_bytes(b"")
    with pytest.raises(VolumeError, match=r"found a \.mat file, accepted are \.npy"):
        read_kspace(tmp_path / "k.mat")
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    with pytest.raises(VolumeError, match="cannot be read as a NumPy file"):
        read_kspace(tmp_path / "broken.npy")
    with pytest.raises(VolumeError, match=r"absent\.npy: cannot be read"):
        read_mask(tmp_path / "absent.npy")
    np.save(tmp_path / "empty.npy", np.zeros((4, 4)))
    with pytest.raises(VolumeError, match="with 0 sampled places"):
        read_mask(tmp_path / "empty.npy")
    np.savez(tmp_path / "angles.npz", sinogram=np.zeros((2, 7, 9)), angles_deg=np.zeros(6))
    with pytest.raises(VolumeError, match=r"angles_deg: found shape \(6,\)"):
        read_sinogram(tmp_path / "angles.npz")
    np.save(tmp_path / "nan.npy", np.full((2, 7, 9), np.nan))
    with pytest.raises(VolumeError, match="NaN or infinite"):
        read_sinogram(tmp_path / "nan.npy")


def test_pickled_objects_are_not_opened(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(VolumeError, match="cannot be read as a NumPy file of numbers"):
        read_mask(tmp_path / "objects.npy")


def test_without_h5py_the_error_says_what_would_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "scan.h5").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"scan\.h5: HDF5 needs h5py.*\.npy"):
        read_kspace(tmp_path / "scan.h5")


def test_fastmri_files_are_slices_of_coils(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "multi.h5", "w") as file:
        file["kspace"], file["mask"] = KSPACE.transpose(1, 0, 2, 3), LINES.astype(np.float32)
        file["reconstruction_rss"] = np.zeros((2, 5, 6))
    read = read_kspace(tmp_path / "multi.h5")
    assert np.array_equal(read.data, KSPACE)
    assert np.array_equal(read.mask, np.broadcast_to(LINES != 0, (5, 6)))
    with h5py.File(tmp_path / "single.h5", "w") as file:
        file["kspace"] = KSPACE[0]
    assert np.array_equal(read_kspace(tmp_path / "single.h5").data, KSPACE[:1])
    (tmp_path / "broken.h5").write_bytes(b"nothing")
    with pytest.raises(VolumeError, match="cannot be read as HDF5"):
        read_kspace(tmp_path / "broken.h5")
