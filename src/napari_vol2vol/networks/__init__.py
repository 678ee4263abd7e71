"""Plain `torch.nn` modules: no sampling, no files."""
