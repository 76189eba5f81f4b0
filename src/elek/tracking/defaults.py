"""How a registered model writes unless `predict(…, params=…)` says otherwise."""

GENERATION: dict[str, int | float] = {
    "max_new_tokens": 64,
    "temperature": 0.8,
    "top_k": 50,
    "top_p": 0.95,
    "seed": 0,
}
