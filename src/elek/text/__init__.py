"""Text as characters: repair, cleaning, markup, case folding."""
