"""Text at the level of characters: encoding repair, cleaning, markup removal, case folding."""
