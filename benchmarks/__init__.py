"""Side by side with peers: each module is run as `python -m benchmarks.NAME`; README.md says what each measures."""
