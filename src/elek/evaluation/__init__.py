"""Evaluate a model on held-out text: likelihoods, a baseline, generations, and samples to read."""
