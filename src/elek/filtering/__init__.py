"""Filters: what they measure, apart from how they decide.

A filter is one module in `elek.filters` that subclasses `Filter`. It *measures* a batch into signals, which
`annotate` stores as columns `<filter>.<signal>`, and its *rules* compare a signal with a threshold, which
`filter` does as often as somebody changes a threshold, without ever reading the text again. Comparisons are
strict: equality keeps. All failing rules are recorded; the first one, in the order of the filters' ranks and
then of the filter's rules, is the reason.
"""

from elek.filtering.deciding import (
    FilterParams,
    FilterSettings,
    columns_for,
    decide,
    derived,
    discover,
    releases,
    removals,
    removing,
    rule,
    verdicts,
)
from elek.filtering.filter import (
    HELD,
    RELEASED,
    SHARE,
    UNDETERMINED,
    Batch,
    Filter,
    Number,
    Removal,
    Rule,
    Threshold,
    WordKind,
    thresholds,
    to_float,
)

__all__ = [
    "HELD",
    "RELEASED",
    "SHARE",
    "UNDETERMINED",
    "Batch",
    "Filter",
    "FilterParams",
    "FilterSettings",
    "Number",
    "Removal",
    "Rule",
    "Threshold",
    "WordKind",
    "columns_for",
    "decide",
    "derived",
    "discover",
    "releases",
    "removals",
    "removing",
    "rule",
    "thresholds",
    "to_float",
    "verdicts",
]
