"""MLflow, and the only package that may import it: runs, curves, artifacts, model versions and aliases."""
