"""The vocabulary: trained by SentencePiece on the training text (`training`), used everywhere (`tokenizer`)."""
