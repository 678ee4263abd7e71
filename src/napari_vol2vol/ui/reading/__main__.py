"""`python -m napari_vol2vol.ui.reading READING --reader NAME`."""

import sys

from napari_vol2vol.ui.reading.start import main

if __name__ == "__main__":
    sys.exit(main())
