"""The data half alone, on anybody's files: what `elek curate` does, with no project around it.

    settings   what is asked for: the default rules, a preset, a file of params, and what is skipped
    inputs     files, folders and globs → pieces of bounded size, nothing parsed yet
    reading    one piece → documents, and what could not be read
    chain      one piece → clean text, signals and the filters' decisions, in one pass of a worker
    output     after deduplication, one part → kept documents and the decision of every document
    running    all of it in order, with the proof that nothing is lost
    page       the report

The work itself is that of the stages: `clean_table`, `annotate`, `decide`, `deduplicate`.
"""
