"""What a result is good for: segment with it in place of the true modality (Score-Fusion, sec. 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.weights import load_segresnet
from napari_vol2vol.engine import Done, Translation, translate
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.cases import Case
from napari_vol2vol.evaluation.compare import folder_of
from napari_vol2vol.evaluation.downstream_truth import Truth, truths_of
from napari_vol2vol.evaluation.rows import Row
from napari_vol2vol.evaluation.segmentation_bundle import check_regions
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.io import read_volume
from napari_vol2vol.metrics.overlap import dice
from napari_vol2vol.networks.segresnet import SegResNet
from napari_vol2vol.tasks.segmentation import segment
from napari_vol2vol.volume import Volume

#: What can stand for a system, and the file of a row that holds it.
ANSWERS = {"mean": "mean.nii.gz", "sample": "sample-01.nii.gz"}
#: Regions that are the union of others: tumour core and whole tumour of the BraTS challenge, whose enhancing
#: tumour is the rim.
UNIONS: dict[str, tuple[str, ...]] = {
    "core and rim": ("lesion core", "enhancing rim"),
    "whole lesion": ("lesion core", "enhancing rim", "oedema"),
}


@dataclass(frozen=True)
class Arm:
    """What is put in place of the target: the truth, what was there before, or the answer of a system."""

    kind: str
    label: str


@dataclass(frozen=True)
class Score:
    """Dice of one region of one volume, with one arm; None where the volume has no such region."""

    volume: str
    arm: Arm
    region: str
    dice: float | None


def truth_arm(suite: Suite) -> Arm:
    """Return the upper end of the recovery rate."""
    return Arm("truth", f"true {suite.target}")


def degraded_arm(suite: Suite) -> Arm:
    """Return the lower end: what there is of the target before anything is translated.

    That is the measured target, interpolated; a modality that was never measured is missing.
    """
    return Arm("degraded", f"trilinear {suite.target}" if suite.degrades else f"no {suite.target}")


def regions_to_score(card: BundleCard) -> dict[str, tuple[str, ...]]:
    """Return what is scored, each a union of regions of the bundle; the background is not."""
    regions = check_regions(card)[1:]
    return {r: (r,) for r in regions} | {name: u for name, u in UNIONS.items() if set(u) <= set(regions)}


def check_answer(answer: str) -> str:
    """Return what is to stand for a system, or raise `SettingsError` naming what can."""
    if answer not in ANSWERS:
        raise SettingsError(f"answer: found {answer!r}, accepted are {', '.join(ANSWERS)}")
    return answer


class Judge:
    """A loaded segmentation bundle that scores one volume at a time, in float32 on the CPU.

    Raises
    ------
    BundleError
        If the bundle does not segment regions of procedural heads, or its weights are not there.
    """

    def __init__(self, card: BundleCard) -> None:
        self.card = card
        self.regions, self.wanted = check_regions(card), regions_to_score(card)
        self.network: SegResNet = load_segresnet(card, torch.device("cpu"))

    def __call__(
        self, name: str, arm: Arm, target: str, volume: Volume | None, truth: Truth
    ) -> Iterator[Score]:
        """Yield the score of each region with ``volume`` as the target; None: the target is missing.

        The other modalities that the network takes are the true ones.
        """
        given: dict[str, Volume] = {m: v for m, v in truth.volumes.items() if m != target}
        if volume is not None:
            given[target] = volume
        found = segment(self.network, self.card.inputs, given)
        for region, parts in self.wanted.items():
            mask = np.isin(found, [self.regions.index(part) for part in parts])
            yield Score(name, arm, region, dice(mask, truth.mask(parts)))


def downstream(
    suite: Suite,
    cases: Sequence[Case],
    rows: Sequence[Row],
    output: Path,
    judge: Judge,
    *,
    answer: str = "mean",
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Score]:
    """Yield the Dice of every region, by volume and arm: truth, degraded, then each row in order.

    Several seeds of a system are several scores of one arm.

    Parameters
    ----------
    rows : sequence of Row
        Of `compare`, whose folder is ``output``.
    answer : str
        ``mean`` of the samples, or the first ``sample``.

    Raises
    ------
    Vol2VolError
        If the bundle does not fit the suite (`check_truths`).
    """
    file = ANSWERS[check_answer(answer)]
    for case, truth in zip(cases, truths_of(suite, cases, judge.card.inputs), strict=True):
        say(f"{case.name}: segmenting")
        for arm, volume in (
            (truth_arm(suite), truth.volumes[suite.target]),
            (degraded_arm(suite), _degraded(suite, case)),
        ):
            yield from judge(case.name, arm, suite.target, volume, truth)
        for row in rows:
            if row.volume == case.name:
                made = case.reference.with_data(read_volume(folder_of(output, row) / file).data)
                yield from judge(case.name, Arm("system", row.system), suite.target, made, truth)


def _degraded(suite: Suite, case: Case) -> Volume | None:
    """Return the interpolated measurement on the grid of the result, None where the target is missing."""
    if not suite.degrades:
        return None
    request = Translation(
        suite.task, "trilinear", samples=1, steps=1, factor=case.factor, device="cpu", precision="float32"
    )
    *_, done = translate(request, case.source, conditions=case.conditions)
    assert isinstance(done, Done)
    return done.volumes["mean"]
