"""Shared helpers are imported from their folder (`from sampling.gaussian import ...`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
