"""Statistics of reader studies: arrays in, figures out. Nothing here knows of files or trials."""
