"""The commands of `vol2vol`, one file a group; `napari_vol2vol.cli` puts them together."""
