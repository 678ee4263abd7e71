"""Figures against a reference, and the tables that reprint themselves."""
