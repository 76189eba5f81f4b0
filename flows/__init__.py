"""Prefect flows: when and how the stages of dvc.yaml run. What must run is DVC's decision alone."""
