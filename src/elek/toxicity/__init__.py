"""Toxicity: a fast first pass by lexicon, English and Turkish, weighed against the length of the text."""
