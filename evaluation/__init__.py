"""evaluation: how good a world is, and how fast; the gap report is to come. It sees everything, nothing sees it."""
