"""Small studies for tests: spheres with texture as cases, a real and a generated arm."""

from dataclasses import replace

import numpy as np

from napari_vol2vol.io import write_volume
from napari_vol2vol.study.design import Arm, Block, Case, Item, Reader, Study, VolumeFile, WindowPolicy
from napari_vol2vol.study.folder import StudyFolder, as_text
from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.reading_set import BlockText, ReadingSet, Trial, reading_file
from napari_vol2vol.volume import Volume

PAIR = ("real", "generated")
WHICH = Question("which", "2afc", "Which one is generated?", positive=("generated",), confidence=(1, 5))
IS_IT = Question("is-it", "yes-no", "Is it generated?", positive=("generated",), confidence=(1, 5))


def sphere(seed, shape=(20, 22, 24), spacing=(1.0, 1.0, 1.0)):
    """A ball of whole values about 100 in air of 0, as an integer file would hold it."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    inside = z**2 + y**2 + x**2 < 0.6
    data = np.where(inside, 100 + rng.integers(-20, 21, shape), 0).astype(np.float32)
    return Volume.from_array(data, spacing, name="sphere")


def write_case(folder, name, seed, arms=PAIR):
    """Write one volume an arm under names that say nothing; return the `Case`."""
    files = {}
    for number, arm in enumerate(arms):
        path = folder / "volumes" / f"{name}-{number}.nii"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_volume(sphere(seed * 10 + number), path, overwrite=True)
        files[arm] = VolumeFile(str(path.relative_to(folder)))
    return Case(name, files)


def paper_study(folder, pairs=6, singles=6, readers=("R1", "R2"), training=1, repeats=0, arms=PAIR, **more):
    """Write volumes and return the paper's two experiments at a small size, ready to be saved."""
    cases = [write_case(folder, f"c{n:02d}", n, arms) for n in range(pairs + singles + training)]
    names = [case.name for case in cases]
    first, second, extra = names[:pairs], names[pairs : pairs + singles], names[pairs + singles :]
    blocks = []
    if pairs:
        items = tuple(Item(name, arms) for name in first)
        train = tuple(Item(name, arms) for name in extra)
        blocks.append(Block("pairs", items, ("which",), training=train, repeats=repeats))
    if singles:
        items = tuple(Item(name, (arms[n % 2],)) for n, name in enumerate(second))
        blocks.append(Block("singles", items, ("is-it",)))
    return Study(
        "small", tuple(Arm(a, generated=a != "real") for a in arms), tuple(cases),
        tuple(Reader(r) for r in readers), (WHICH, IS_IT), tuple(blocks), seed=more.pop("seed", 3), **more,
    )  # fmt: skip


def frozen(folder, **more):
    """Freeze a small study and return its folder."""
    from napari_vol2vol.study.freeze import freeze

    study = StudyFolder(folder)
    study.save(paper_study(folder, **more))
    freeze(study)
    return study


def write_reading_set(folder, trials):
    """A reading set of pairs; its volumes are never opened."""
    plan = tuple(
        Trial(f"R1-{n:05d}", f"T{n}", "pairs", "test", ("A", "B"), ("which",)) for n in range(trials)
    )
    blind = replace(WHICH, positive=())
    study = ReadingSet("killed", "", "0" * 64, (blind,), {"pairs": BlockText()}, {"A": "", "B": ""},
                       {"R1": plan}, WindowPolicy())  # fmt: skip
    folder.mkdir(exist_ok=True)
    reading_file(folder).write_text(as_text(encode(study)))
    return plan


def truth_of(study, session):
    """The right answer to the question that is on, from the key: what only tests may do."""
    from napari_vol2vol.study.json_fields import read_json
    from napari_vol2vol.study.plan import right_answer

    volumes = read_json(study.key, "a key")["volumes"]
    arms = [volumes[code]["arm"] for code in session.trial.volumes]
    case = volumes[session.trial.volumes[0]]["case"]
    question = replace(study.study().question(session.question.name))
    return right_answer(study.study(), question, Item(case, tuple(arms)), arms)


def read_all(study, reader, answer):
    """Read everything; ``answer(session, truth)`` returns value and confidence."""
    from napari_vol2vol.study.session import ReadingSession

    with ReadingSession(study.reading, reader) as session:
        while not session.finished:
            session.shown()
            value, confidence = answer(session, truth_of(study, session))
            session.answer(value, confidence)
