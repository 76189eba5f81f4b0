"""Lineage: the data, code and licences behind a model, and the models that learned from a document."""
