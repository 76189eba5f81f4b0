"""What happened to a document and why, and what other settings would do: read from what the stages stored."""
