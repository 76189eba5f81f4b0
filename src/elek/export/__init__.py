"""A Hugging Face folder that `transformers` and its kin load: `weights` the model, `tokenizer` the vocabulary."""
