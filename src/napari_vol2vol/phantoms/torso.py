"""Procedural upper abdomens and lower chests: organs, vessels and bones as labels, seeded.

Sizes and places are those of adults, each varied on its own; nothing is taken from a patient. What a label
looks like in CT, native or in the arterial phase, is said in `phantoms.torso_ct`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.phantoms.torso_shapes import FloatArray, Point, Space, smooth_field

Mask = NDArray[np.bool_]
#: What the voxels of a torso are, by their value; later ones lie over earlier ones.
LABELS = (
    "air", "table", "skin", "fat", "muscle", "visceral fat", "bowel", "bowel gas", "stomach", "liver",
    "gallbladder", "spleen", "pancreas", "kidney cortex", "kidney medulla", "lung", "heart muscle", "disc",
    "trabecular bone", "cortical bone", "vein", "portal vein", "renal vein", "heart chamber", "artery",
    "aorta", "right heart", "upper vena cava", "pulmonary vessel",
)  # fmt: skip
#: Where the middle of the vertebrae lies, in shares of the way from the middle to the back.
SPINE = -0.45
INDEX = {name: i for i, name in enumerate(LABELS)}


@dataclass(frozen=True)
class Torso:
    """Labels `(z, y, x)` as values of `INDEX`, and the spacing of the voxels in mm."""

    labels: NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]

    def mask(self, *names: str) -> Mask:
        """Return the voxels of these labels."""
        return np.isin(self.labels, [INDEX[name] for name in names])

    @property
    def body(self) -> Mask:
        """Everything but air and table."""
        return self.labels > INDEX["table"]


class _Builder:
    """Lays labels over one another in the bent space of one patient."""

    def __init__(
        self,
        rng: np.random.Generator,
        fresh: np.random.Generator,
        shape: tuple[int, int, int],
        spacing: tuple[float, float, float],
        middle_mm: float,
    ) -> None:
        self.rng = rng
        self.fresh = fresh
        self.space = Space.bent(rng, shape, spacing, middle_mm=middle_mm)
        self.labels = np.zeros(shape, np.uint8)
        self.half_width = rng.uniform(140, 185)
        self.half_depth = self.half_width * rng.uniform(0.66, 0.78)
        self.fat = rng.uniform(8, 32)
        self.size = self.half_width / 160
        self.dome = rng.uniform(20, 70)  # mm above the middle of the grid where the lungs begin
        self.lumpy = smooth_field(rng, shape, spacing, 45.0)

    def lay(self, name: str, where: Mask, over: tuple[str, ...] = ()) -> None:
        """Set a label, everywhere or only over the named ones."""
        if over:
            where = where & np.isin(self.labels, [INDEX[n] for n in over])
        self.labels[where] = INDEX[name]

    def point(self, z: float, y: float, x: float, jitter: float = 4.0) -> Point:
        """Return a place given in mm for a patient of middle size, scaled and moved a little."""
        dz, dy, dx = self.rng.normal(0, jitter, 3)
        return z + dz, y * self.size + dy, x * self.size + dx

    def radii(self, *mm: float) -> Point:
        """Return radii scaled to the patient and varied by a tenth."""
        a, b, c = (r * self.size * self.rng.uniform(0.88, 1.12) for r in mm)
        return a, b, c

    def organ(self, name: str, centre: Point, radii: Point, lumps: float = 0.12, power: float = 2.0) -> Mask:
        """Lay a lumpy ellipsoid over what is inside the belly, and return it."""
        inside = self.space.ellipsoid(centre, radii, power) + lumps * self.lumpy < 1
        inside &= self.cavity
        self.lay(name, inside)
        return inside

    def wall(self) -> None:
        """Lay table, skin, fat, muscle and the cavity."""
        y, x, rng = self.space.y, self.space.x, self.rng
        depth = np.abs(x / self.half_width) ** 2.3 + np.abs(y / self.half_depth) ** 2.3

        def within(inset: float) -> Mask:
            scale = 1 - inset / self.half_depth
            return np.asarray(depth < scale**2.3)

        nz, ny, _ = self.space.shape
        flat_y = (np.arange(ny) - (ny - 1) / 2) * self.space.spacing_mm[1]
        back = -self.half_depth - rng.uniform(4, 14)
        curve = back + (self.space.x[nz // 2, ny // 2] / rng.uniform(380, 520)) ** 2 * 200
        sheet = (flat_y[:, None] < curve[None]) & (flat_y[:, None] > curve[None] - rng.uniform(6, 12))
        self.lay("table", np.broadcast_to(sheet, self.space.shape))
        self.lay("skin", within(0))
        self.lay("fat", within(2.0))
        self.lay("muscle", within(2.0 + self.fat))
        self.cavity: Mask = within(self.fat + rng.uniform(11, 17)) & (y > -0.6 * self.half_depth)
        self.lay("visceral fat", self.cavity)

    def chest(self) -> None:
        """Lay lungs, with a dome of the diaphragm on each side, and the heart between them."""
        space, rng = self.space, self.rng
        for side in (1, -1):
            top = 62.0 * self.size
            dome = 1 - ((space.x - side * top) / (75 * self.size)) ** 2 - (space.y / (95 * self.size)) ** 2
            height = self.dome + (6 if side > 0 else -6) + 42 * np.clip(dome, -0.9, 1)
            lung = self.cavity & (space.z > height) & (side * space.x > 14 * self.size)
            self.lay("lung", lung)
        centre = self.point(self.dome + 85, 25, -25)
        muscle = space.ellipsoid(centre, self.radii(48, 42, 55))
        self.lay("heart muscle", (muscle < 1) & self.cavity)
        for shift, name in ((-16, "heart chamber"), (18, "right heart")):
            chamber = (centre[0], centre[1] + rng.normal(0, 4), centre[2] + shift * self.size)
            self.lay(name, space.ellipsoid(chamber, self.radii(30, 26, 17)) < 1, ("heart muscle",))
        self._pulmonary(centre)

    def _pulmonary(self, heart: Point) -> None:
        """Lay the vessels of the lungs, from each hilum outwards, and the upper vena cava."""
        rng, size = self.fresh, self.size
        for side in (1, -1):
            hilum = np.array([heart[0] + 28, -2.0, heart[2] + side * 32 * size + 22 * size])
            trunk = self.space.tube([(heart[0] + 38, heart[1] - 8, heart[2] + 10 * size), tuple(hilum)], 11.0)
            self.lay("pulmonary vessel", trunk & self.cavity)
            for _ in range(int(rng.integers(9, 15))):
                way = rng.normal(0, 1, 3) * (45, 32, 12) + (0, 0, side * 48 * size)
                bend = rng.normal(0, 7, 3)
                path = [tuple(hilum), tuple(hilum + way / 2 + bend), tuple(hilum + way)]
                self.lay("pulmonary vessel", self.space.tube(path, rng.uniform(3, 5.5), 1.0), ("lung",))
        right = (heart[0] + 12, heart[1], heart[2] + 26 * size)
        above = (300.0, right[1] - 4, right[2] + rng.normal(4, 4))
        self.lay("upper vena cava", self.space.tube([right, above], rng.uniform(7, 11)))

    def digestive(self) -> None:
        """Lay bowel loops, stomach, liver with gallbladder, spleen and pancreas."""
        rng, below = self.rng, self.dome
        for _ in range(int(rng.integers(5, 10))):
            start = np.array([rng.uniform(-150, below - 90), rng.uniform(5, 60), rng.uniform(-85, 85)])
            path = [tuple(start + np.cumsum(rng.normal(0, 22, (5, 3)), 0)[i]) for i in range(5)]
            radius = rng.uniform(9, 17)
            self.lay("bowel", self.space.tube(path, radius), ("visceral fat",))
            if rng.random() < 0.6:
                self.lay("bowel gas", self.space.tube(path[:3], 0.7 * radius), ("bowel",))
        stomach = self.organ("stomach", self.point(below - 15, 35, -55), self.radii(38, 30, 34))
        fluid = self.space.y > np.median(self.space.y[stomach]) + 8 if stomach.any() else stomach
        self.lay("bowel gas", stomach & fluid & (self.lumpy < 1))
        self.organ("liver", self.point(below - 15, 5, 72), self.radii(75, 72, 66), 0.15, 2.4)
        self.organ("liver", self.point(below + 2, 38, 10), self.radii(42, 34, 55), 0.15)
        self.organ("gallbladder", self.point(below - 55, 45, 52), self.radii(20, 13, 13), 0.05)
        self.organ("spleen", self.point(below - 8, -42, -98), self.radii(48, 30, 24))
        head, tail = self.point(below - 65, 20, 25), self.point(below - 25, -12, -70)
        middle = ((head[0] + tail[0]) / 2 + 8, 34.0 * self.size, -12.0 * self.size)
        pancreas = self.space.tube([head, middle, tail], 15 * self.size, 9 * self.size)
        self.lay("pancreas", pancreas & self.cavity, ("visceral fat", "bowel"))

    def urinary(self) -> list[Point]:
        """Lay the kidneys and the muscles beside the spine; return where the renal vessels end."""
        hilums = []
        for side in (1, -1):
            psoas = self.space.tube(
                [(-190, -28 * self.size, side * 48), (self.dome - 45, -42 * self.size, side * 32)], 19
            )
            self.lay("muscle", psoas & self.cavity)
            centre = self.point(self.dome - 62 - (10 if side > 0 else 0), -38, side * 68)
            radii = self.radii(54, 27, 27)
            value = self.space.ellipsoid(centre, radii) + 0.06 * self.lumpy
            self.lay("kidney cortex", (value < 1) & self.cavity)
            pyramids = np.sin(self.space.z / 5.5) + np.sin(self.space.y / 5.0 + self.space.x / 7.0) > -0.5
            self.lay("kidney medulla", (value < 0.62) & pyramids, ("kidney cortex",))
            sinus = (centre[0], centre[1], centre[2] - side * 17)
            self.lay("visceral fat", self.space.ellipsoid(sinus, self.radii(24, 12, 13)) < 1,
                     ("kidney cortex", "kidney medulla"))  # fmt: skip
            hilums.append((sinus[0], sinus[1], sinus[2] + side * 6))
        return hilums

    def bones(self) -> None:
        """Lay vertebrae with discs between them, their arches, and ribs."""
        space, rng = self.space, self.rng
        spine_y = SPINE * self.half_depth
        period, phase = rng.uniform(32, 40), rng.uniform(0, 40)
        along_z = (space.z + phase) % period
        radius = 22 * self.size * (1 - 0.1 * np.sin(np.pi * along_z / (period - 9)))
        reach = np.hypot((space.y - spine_y) / 0.78, space.x)
        disc = along_z > period - 9
        self.lay("disc", (reach < radius) & disc)
        self.lay("trabecular bone", (reach < radius) & ~disc)
        edge = (reach > radius - 2.2) | (along_z < 2) | (along_z > period - 11)
        self.lay("cortical bone", (reach < radius) & ~disc & edge)
        behind = spine_y - 28 * self.size
        for side in (1, -1):  # the long muscles of the back
            beside = np.hypot((space.y - behind) / 22, (space.x - side * 32 * self.size) / 30) < self.size
            self.lay("muscle", beside, ("fat", "visceral fat"))
        arch = np.abs(np.hypot(space.y - behind, space.x) - 11 * self.size) < 3.5
        spinous = (np.abs(space.x) < 3.5) & (space.y < behind - 8) & (space.y > behind - 24 * self.size)
        high = along_z < 0.6 * period
        canal = np.hypot(space.y - behind, space.x) < 9 * self.size
        self.lay("muscle", canal)
        self.lay("cortical bone", (arch | spinous) & high)
        self._ribs(period)

    def _ribs(self, period: float) -> None:
        inset = self.fat + 8
        a, b = self.half_width - inset, self.half_depth - inset
        low, high = float(self.space.z.min()) - 60, float(self.space.z.max()) + 60
        for level in np.arange(max(low, self.dome - 90), high, period * 0.8):
            for side in (1, -1):
                angles = np.linspace(-1.25, 0.95, 8)
                path = [(level - 26 * (t + 1.25), b * np.sin(t), side * a * np.cos(t)) for t in angles]
                self.lay("cortical bone", self.space.tube(path, 5.0))
                self.lay("trabecular bone", self.space.tube(path, 2.6))

    def vessels(self, hilums: list[Point]) -> None:
        """Lay aorta, caval and portal vein, and the arteries that leave the aorta."""
        rng, size = self.rng, self.size
        front = SPINE * self.half_depth + 22 * size + 12
        aorta = rng.uniform(9, 13.5)
        split = rng.uniform(-170, -120)
        trunk: list[Point] = [
            (z, front + rng.normal(0, 2), -9 * size + rng.normal(0, 3)) for z in (split, -60, 0, 60, 130)
        ]
        trunk += [(190, front - 6, -14 * size), (260, front - 12, -20 * size)]
        caval: list[Point] = [
            (z, front + rng.normal(0, 2) + (14 if z > self.dome - 20 else 0), 22 * size)
            for z in (-260, -120, -30, 40, 110)
        ]
        self.lay("vein", self.space.tube(caval, rng.uniform(9, 13)))
        for side in (1, -1):
            leg = [
                trunk[0],
                (split - 40, front + 4, side * 24 * size),
                (split - 100, front - 2, side * 45 * size),
            ]
            self.lay("artery", self.space.tube(leg, 0.6 * aorta, 0.5 * aorta))
        celiac, mesenteric = self.dome - 28, self.dome - 45
        start = (celiac, front, -9 * size)
        fork = (celiac + 4, front + 24, -5 * size)
        portal: list[Point] = [
            (mesenteric - 60, front + 30, 8), (celiac - 15, front + 30, 20 * size),
            (celiac + 15, 12, 62 * size), (celiac + 25, 8, 90 * size),
        ]  # fmt: skip
        self.lay("portal vein", self.space.tube(portal, 6.5, 3.0))
        branches: dict[str, list[Point]] = {
            "spleen": [start, fork, (celiac + 8, front, -55 * size), (celiac + 12, -38 * size, -88 * size)],
            "liver": [start, fork, (celiac + 4, front + 26, 30 * size), (celiac + 22, 14, 70 * size)],
            "mesentery": [
                (mesenteric, front, -8),
                (mesenteric - 12, front + 22, -4),
                (mesenteric - 90, front + 38, 2),
            ],
        }
        for path in branches.values():
            self.lay("artery", self.space.tube(path, 3.2, 2.0))
        for hilum, side in zip(hilums, (1, -1), strict=True):
            level = hilum[0] + rng.normal(0, 4)
            self.lay("renal vein", self.space.tube([(level, front + 6, 20 * size), hilum], 4.5))
            way: list[Point] = [
                (level + 4, front - 2, -9 * size), (level + 2, front - 8, side * 30 * size), hilum,
            ]  # fmt: skip
            self.lay("artery", self.space.tube(way, 2.9, 2.2))
        self.lay("aorta", self.space.tube(trunk, aorta, aorta * 1.15))


def make_torso(
    seed: int,
    shape: tuple[int, int, int] = (96, 256, 256),
    spacing_mm: tuple[float, float, float] = (2.5, 1.5, 1.5),
    *,
    middle_mm: float = 0.0,
) -> Torso:
    """Return the organs of a random patient on a grid of ``shape`` (z, y, x), about the upper abdomen.

    The middle of the grid lies ``middle_mm`` above a place some centimetres below the domes of the
    diaphragm: 0 shows the upper abdomen, 100 the lower chest. The same seed gives the same patient on the
    same grid.
    """
    rng, fresh = np.random.default_rng([seed, 7]), np.random.default_rng([seed, 13])
    builder = _Builder(rng, fresh, shape, spacing_mm, middle_mm)
    builder.wall()
    builder.digestive()
    hilums = builder.urinary()
    builder.chest()
    builder.bones()
    builder.vessels(hilums)
    return Torso(builder.labels, spacing_mm)


__all__ = ["INDEX", "LABELS", "FloatArray", "Mask", "Torso", "make_torso"]
