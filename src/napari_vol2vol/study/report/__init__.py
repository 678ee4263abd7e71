"""What a study leaves behind: HTML and JSON with figures, CSV, exports for other programs."""
