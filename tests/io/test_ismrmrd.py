import numpy as np
import pytest

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io.raw_data import read_kspace

IDX = np.dtype([(n, "<u2") for n in (
    "kspace_encode_step_1", "kspace_encode_step_2", "average", "slice", "contrast", "phase", "repetition",
    "set", "segment",
)])  # fmt: skip
HEAD = np.dtype([("flags", "<u8"), ("number_of_samples", "<u2"), ("active_channels", "<u2"), ("idx", IDX)])
RNG = np.random.default_rng(0)
KSPACE = (RNG.normal(size=(3, 2, 5, 6)) + 1j * RNG.normal(size=(3, 2, 5, 6))).astype(np.complex64)


@pytest.fixture
def write(tmp_path):
    """Write lines (flags, {counter: value}, (coils, samples) array) as an ISMRMRD file."""
    h5py = pytest.importorskip("h5py")

    def function(lines, xml=None):
        kind = np.dtype([("head", HEAD), ("data", h5py.vlen_dtype(np.float32))])
        stored = np.zeros(len(lines), kind)
        for record, (flags, counters, values) in zip(stored, lines, strict=True):
            record["head"]["flags"] = flags
            record["head"]["active_channels"], record["head"]["number_of_samples"] = values.shape
            for name, value in counters.items():
                record["head"]["idx"][name] = value
            record["data"] = np.stack([values.real, values.imag], -1).astype(np.float32).ravel()
        with h5py.File(tmp_path / "scan.h5", "w") as file:
            file.create_dataset("dataset/data", data=stored, dtype=kind)
            if xml is not None:
                file.create_dataset("dataset/xml", data=[xml], dtype=h5py.string_dtype())
        return tmp_path / "scan.h5"

    return function


def lines(second="slice", skip=()):
    return [
        (0, {"kspace_encode_step_1": y, second: z}, KSPACE[:, z, y])
        for z in range(2)
        for y in range(5)
        if y not in skip
    ]


@pytest.mark.parametrize("second", ["slice", "kspace_encode_step_2"])
def test_lines_are_put_where_their_counters_say(second, write):
    assert np.allclose(read_kspace(write(lines(second))).data, KSPACE)


def test_lines_left_out_are_zero_and_not_in_the_mask(write):
    read = read_kspace(write(lines(skip=(1, 3))))
    assert np.array_equal(read.mask[:, 0], [True, False, True, False, True])
    assert not read.data[:, :, [1, 3]].any()


@pytest.mark.parametrize("space", ["", ' xmlns="http://www.ismrm.org/ISMRMRD"'])
def test_the_header_says_how_many_rows_there_are_and_where_the_centre_is(space, write):
    header = (
        f"<ismrmrdHeader{space}><encoding><encodedSpace><matrixSize><x>6</x><y>8</y><z>1</z></matrixSize>"
        "</encodedSpace><encodingLimits><kspace_encoding_step_1><center>2</center></kspace_encoding_step_1>"
        "</encodingLimits></encoding></ismrmrdHeader>"
    )
    read = read_kspace(write(lines(), header))
    assert read.data.shape == (3, 2, 8, 6)
    assert np.allclose(read.data[:, :, 2:7], KSPACE)


def test_repeated_lines_are_averaged_and_noise_is_left_out(write):
    noise = (1 << 18, {}, np.full((3, 6), 99.0))
    doubled = [(f, c, 2 * v) for f, c, v in lines()] + [(f, c, 0 * v) for f, c, v in lines()]
    assert np.allclose(read_kspace(write([noise, *doubled])).data, KSPACE)


def test_files_of_several_images_or_of_noise_alone_are_refused(write):
    with pytest.raises(VolumeError, match=r"several of .'repetition'."):
        read_kspace(write([*lines(), (0, {"repetition": 1}, KSPACE[:, 0, 0])]))
    with pytest.raises(VolumeError, match="lines of"):
        read_kspace(write([*lines(), (0, {}, KSPACE[:2, 0, 0])]))
    with pytest.raises(VolumeError, match="no acquisition but noise"):
        read_kspace(write([(1 << 18, {}, KSPACE[:, 0, 0])]))
