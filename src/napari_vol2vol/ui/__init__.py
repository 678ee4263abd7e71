"""Everything that imports napari or Qt: one file per widget, nothing here runs a network."""
