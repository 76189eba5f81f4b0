"""A model behind HTTP, for this machine alone: `service` takes turns, `app` speaks OpenAI's completions."""
