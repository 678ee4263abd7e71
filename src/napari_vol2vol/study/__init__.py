"""Reader studies: design, blinding, reading without a window, store, statistics, report."""
