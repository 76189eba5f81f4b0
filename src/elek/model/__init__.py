"""The model: its shape (`config`), its mathematics (`transformer`) and its files (`files`)."""
