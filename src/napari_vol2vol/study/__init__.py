"""Reader studies: design, store, statistics, report (to come)."""
