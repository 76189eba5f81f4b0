"""One filter, one module; see `elek.filtering` for what a filter is. Modules are found by their presence here."""
