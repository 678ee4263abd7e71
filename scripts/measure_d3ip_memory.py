"""Print peak memory and seconds of a reconstruction of few and of many slices, each in its own process.

    python scripts/measure_d3ip_memory.py [--system d3ip] [--slices 32 256] [--steps 6] [--set KEY=NUMBER]

Slices have 128 x 128 pixels and 60 views. *Volumes* is the growth over that of one float32 volume.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import numpy as np

SIZE, VIEWS, MIB = 128, 60, 2**20


def torso(slices: int) -> np.ndarray:
    """Return an ellipse of 40 HU with a brighter column that moves along z, in air (z, y, x)."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, SIZE, dtype=np.float32)] * 2, indexing="ij")
    inside = np.where(np.hypot(x / 0.85, y / 0.7) < 1, 40.0, -1000.0).astype(np.float32)
    volume = np.repeat(inside[None], slices, 0)
    for z in range(slices):
        volume[z][np.hypot(x - 0.4 * np.sin(z / 20), y) < 0.2] = 240
    return volume


def peak_mib(system: str, slices: int, steps: int, options: dict[str, float]) -> tuple[float, float]:
    """Run in this process and return its peak resident memory, in MiB, and its seconds."""
    import time

    import torch

    from napari_vol2vol.engine import Translation, translate
    from napari_vol2vol.evaluation.peak_memory import peak_gib, reset_peak
    from napari_vol2vol.tasks import get_task
    from napari_vol2vol.volume import Volume

    task = get_task("sparse-view-ct")
    truth = Volume.from_array(torso(slices), (3, 3, 3), units="HU", modality="CT", name="torso")
    source = task.degrade(truth, task.simulation(views=VIEWS))
    del truth
    request = Translation(
        task.name,
        system,
        steps=steps,
        precision="float32",
        device="cpu",
        bundle="ellipses-prior",
        options=options,
    )
    reset_peak(torch.device("cpu"))
    begin = time.perf_counter()
    for _ in translate(request, source):
        pass
    return peak_gib(torch.device("cpu")) * 1024, time.perf_counter() - begin


def main() -> None:
    """Print a line for each number of slices, and the growth from the first to the last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--system", default="d3ip")
    parser.add_argument("--slices", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=NUMBER", help="settings of the system")
    parser.add_argument("--own", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.own is not None:
        pairs = (text.split("=", 1) for text in given.set)
        options = {key: float(value) if "." in value else int(value) for key, value in pairs}
        print(*peak_mib(given.system, given.own, given.steps, options))
        return
    peaks = []
    for slices in given.slices:
        command = [sys.executable, __file__, "--system", given.system, "--steps", str(given.steps)]
        own = ["--own", str(slices), "--set", *given.set]
        out = subprocess.run([*command, *own], check=True, capture_output=True, text=True)
        peak, seconds = map(float, out.stdout.split()[-2:])
        peaks.append(peak)
        each = seconds / slices
        print(f"{given.system}: {slices} slices, {peak:.0f} MiB, {seconds:.0f} s ({each:.2f} s a slice)")
    if given.slices[0] == given.slices[-1]:
        return
    growth = peaks[-1] - peaks[0]
    volume = (given.slices[-1] - given.slices[0]) * SIZE**2 * 4 / MIB
    share = (growth - volume) / peaks[0]
    print(f"growth {growth:.0f} MiB: {growth / volume:.1f} volumes; beyond the volume itself {share:.0%}")


if __name__ == "__main__":
    main()
