"""Procedural volumes with a seed: training material and tests without patients."""
