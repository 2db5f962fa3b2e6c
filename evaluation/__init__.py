"""evaluation: the gap report. Nothing here yet."""
