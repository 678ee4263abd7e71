"""From readings to results: by reader, over readers, between treatments, opinions. Plain dictionaries out."""
