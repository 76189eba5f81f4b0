"""Elek: raw text in, a documented and reproducible small language model out."""

__version__ = "0.2.0"
