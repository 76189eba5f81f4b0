"""Running: workers, their engine and their cache, one run at a time."""
