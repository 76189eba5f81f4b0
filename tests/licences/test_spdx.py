"""SPDX expressions: one spelling, and an error that helps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.errors import ParamsError
from elek.licences.spdx import check, index, normalise

KNOWN = sorted(key for key, entry in index().items() if not entry["is_exception"])
EXCEPTIONS = ["Classpath-exception-2.0", "GCC-exception-3.1", "LLVM-exception"]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("MIT", "MIT"),
        ("mit or apache-2.0", "MIT OR Apache-2.0"),
        ("GPL-3.0", "GPL-3.0-only"),
        ("gpl-2.0+", "GPL-2.0-or-later"),
        ("LGPL-2.1+ AND (MIT OR bsd-3-clause)", "LGPL-2.1-or-later AND (MIT OR BSD-3-Clause)"),
        ("GPL-2.0-with-classpath-exception", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("apache-2.0 with llvm-exception", "Apache-2.0 WITH LLVM-exception"),
        ("LicenseRef-PublicDomain", "LicenseRef-PublicDomain"),
        ("licenseref-publicdomain AND MIT", "LicenseRef-PublicDomain AND MIT"),
        ("LicenseRef-My-Corpus.1", "LicenseRef-My-Corpus.1"),
        ("NONE", "NOASSERTION"),
        ("NOASSERTION", "NOASSERTION"),
    ],
)
def test_spellings(given_: str, expected: str) -> None:
    """Case, deprecated identifiers and exceptions come to SPDX's own spelling; references stay."""
    assert normalise(given_) == expected
    assert check(given_) is None


@pytest.mark.parametrize(
    ("given_", "hint"),
    [
        ("Apche-2.0", "`Apache-2.0`"),
        ("MIT License", "`MIT`"),
        ("GPLv3", "`GPL-3.0-only`"),
        ("public domain", "`LicenseRef-PublicDomain`"),
        ("CC BY-SA 4.0", "`CC-BY-SA-4.0`"),
        ("MIT MIT", "SPDX expression"),
        ("(MIT", "SPDX expression"),
        ("MIT AND", "SPDX expression"),
        ("Classpath-exception-2.0", "SPDX expression"),
        ("LicenseRef-a_b", "letters, digits, dots and hyphens"),
        ("", "NOASSERTION"),
        ("()", "NOASSERTION"),
        ("M" * 5000, "a line, not a text"),
    ],
)
def test_a_wrong_expression_is_refused_with_a_remedy(given_: str, hint: str) -> None:
    """What SPDX would not accept raises ParamsError, names where it stands, and offers the nearest valid thing."""
    with pytest.raises(ParamsError) as caught:
        normalise(given_, where="params.yaml: fetch.sources.mine.license")
    assert hint in str(caught.value)
    assert "fetch.sources.mine.license" in str(caught.value)
    assert hint in str(check(given_))


expressions = st.recursive(
    st.sampled_from(KNOWN) | st.sampled_from(["LicenseRef-PublicDomain", "LicenseRef-Mine", "NOASSERTION"]),
    lambda inner: st.builds(
        lambda parts, operator: f" {operator} ".join(f"({part})" for part in parts),
        st.lists(inner, min_size=2, max_size=3),
        st.sampled_from(["AND", "OR"]),
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=60)
@given(expressions)
def test_normalising_twice_is_normalising_once(expression: str) -> None:
    """Every well-formed expression over known licences is accepted, and its normal form is its own normal form."""
    normal = normalise(expression)
    assert normalise(normal) == normal
    assert normalise(expression.lower().replace("licenseref-mine", "LicenseRef-Mine")) == normal


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60))
def test_any_text_gets_an_answer(text: str) -> None:
    """Whatever stands in a licence field is either valid or explained; nothing else is ever raised."""
    problem = check(text)
    assert problem is None or len(problem) > 10
