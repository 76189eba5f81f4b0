"""Serve a model over HTTP on this machine: `service` queues requests, `app` implements OpenAI's completions API."""
