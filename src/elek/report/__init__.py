"""The report: what went in, what came out, why, and under which licences, on one page that loads nothing."""
