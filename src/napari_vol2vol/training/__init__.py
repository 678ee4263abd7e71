"""Recipes, datasets, losses and the trainer behind `vol2vol train`."""
