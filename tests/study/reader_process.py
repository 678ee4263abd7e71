"""A scripted reader that tells, one line each, which answers it has committed. Run as a program and
killed."""

import random
import sys
import time
from pathlib import Path

from napari_vol2vol.study.session import ReadingSession

if __name__ == "__main__":
    random.seed()
    with ReadingSession(Path(sys.argv[1]), "R1") as session:
        while not session.finished:
            session.shown()
            session.choose("left")
            trial = session.trial.id
            session.answer("left", 3)
            sys.stdout.write(f"{trial}\n")
            sys.stdout.flush()
            time.sleep(random.random() * 0.002)
