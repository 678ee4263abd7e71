"""Translate medical volumes with generative models in napari.

Importing this package loads neither torch nor Qt.
"""

__version__ = "0.1.0"
