"""Why each document was kept or dropped, and what other settings would change, read from what the stages stored."""
