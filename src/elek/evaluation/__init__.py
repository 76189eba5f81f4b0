"""What a model is worth on text it has not seen: `scoring` measures, `samples` shows."""
