"""Schedules, denoisers, samplers, consistency, ensembles: everything between a network and a volume."""
