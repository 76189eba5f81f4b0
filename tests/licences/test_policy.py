"""Categories, policies and obligations."""

from __future__ import annotations

import pytest

from elek.licences.categories import CATEGORIES, category, licence, licences_in, obligations
from elek.licences.policy import POLICIES, PolicyName, judge, single_licences
from elek.licences.spdx import index

NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CC0-1.0", "public-domain"),
        ("LicenseRef-PublicDomain", "public-domain"),
        ("MIT", "permissive"),
        ("CC-BY-4.0", "permissive"),
        ("PostgreSQL", "permissive"),
        ("Python-2.0", "permissive"),
        ("MPL-2.0", "weak-copyleft"),
        ("LGPL-2.1-or-later", "weak-copyleft"),
        ("GPL-3.0-only", "copyleft"),
        ("AGPL-3.0-or-later", "copyleft"),
        ("CC-BY-SA-3.0", "share-alike"),
        ("GFDL-1.3-or-later", "share-alike"),
        ("CC-BY-NC-SA-4.0", "non-commercial"),
        ("CC-BY-ND-4.0", "no-derivatives"),
        ("BUSL-1.1", "proprietary"),
        ("LicenseRef-Mine", "unknown"),
        ("NOASSERTION", "unknown"),
        ("MIT OR GPL-3.0-only", "permissive"),
        ("MIT AND GPL-3.0-only", "copyleft"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "copyleft"),
        ("(MIT AND LicenseRef-Mine) OR CC-BY-SA-4.0", "share-alike"),
    ],
)
def test_categories(expression: str, expected: str) -> None:
    """An OR is as free as its freest branch, an AND as strict as its strictest part, an exception changes nothing."""
    assert category(expression) == expected


def test_every_known_licence_has_a_category() -> None:
    """The table leaves no SPDX licence without a known category, but for the few that say nothing themselves."""
    unknown = [
        key
        for key, entry in index().items()
        if not key.startswith("LicenseRef-") and not entry["is_exception"] and licence(key).category == "unknown"
    ]
    assert set(unknown) <= {"any-OSI", "any-OSI-perl-modules"}
    assert {licence(key).category for key in index()} <= set(CATEGORIES)


@pytest.mark.parametrize(
    ("policy", "accepted", "refused"),
    [
        ("permissive", ["MIT", "CC0-1.0", "GPL-3.0-only OR MIT"], ["GPL-3.0-only", "MPL-2.0", "MIT AND CC-BY-SA-4.0"]),
        ("open", ["GPL-3.0-only", "CC-BY-SA-4.0", "MPL-2.0"], ["CC-BY-NC-4.0", "CC-BY-ND-4.0", "BUSL-1.1"]),
        ("research", ["CC-BY-NC-4.0", "CC-BY-NC-ND-4.0", "GPL-2.0-only"], ["BUSL-1.1"]),
        ("any", ["BUSL-1.1", "MIT"], []),
    ],
)
def test_policies(policy: PolicyName, accepted: list[str], refused: list[str]) -> None:
    """Each policy takes the categories that it promises and refuses the rest."""
    assert all(judge(expression, policy, NONE, NONE).outcome == "accepted" for expression in accepted)
    assert all(judge(expression, policy, NONE, NONE).outcome == "refused" for expression in refused)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "expression", ["LicenseRef-Mine", "NOASSERTION", "no such thing", "", "MIT AND LicenseRef-Mine"]
)
def test_nothing_unknown_is_accepted_by_any_policy(policy: PolicyName, expression: str) -> None:
    """No policy, not even `any`, accepts a licence of which nobody has said what it allows."""
    assert judge(expression, policy, NONE, NONE).outcome == "unknown"


def test_allow_and_deny() -> None:
    """A named licence is taken or refused whatever the policy; deny beats allow; an OR may still escape."""
    mine = frozenset({"LicenseRef-Mine", "GPL-3.0-only"})
    assert judge("LicenseRef-Mine AND GPL-3.0-only", "permissive", mine, NONE).outcome == "accepted"
    assert judge("MIT", "permissive", NONE, frozenset({"MIT"})).reason.startswith("MIT is denied by name")
    assert judge("MIT", "permissive", frozenset({"MIT"}), frozenset({"MIT"})).outcome == "refused"
    assert judge("MIT OR ISC", "permissive", NONE, frozenset({"MIT"})).outcome == "accepted"
    only = frozenset({"GPL-2.0-only WITH Classpath-exception-2.0"})
    assert judge("GPL-2.0-only WITH Classpath-exception-2.0", "permissive", only, NONE).outcome == "accepted"
    assert judge("GPL-2.0-only", "permissive", only, NONE).outcome == "refused"


def test_the_reason_names_licence_category_and_policy() -> None:
    """What the ledger shows can be understood without the source."""
    reason = judge("GPL-3.0-only", "permissive", NONE, NONE).reason
    assert reason == "GPL-3.0-only is copyleft; policy permissive allows public-domain, permissive"


def test_lists_hold_single_licences() -> None:
    """allow and deny take identifiers in any spelling and refuse expressions and typos."""
    assert single_licences(["gpl-3.0", "LicenseRef-Mine"]) == ("GPL-3.0-only", "LicenseRef-Mine")
    with pytest.raises(ValueError, match="one by one"):
        single_licences(["MIT OR ISC"])
    with pytest.raises(ValueError, match="did you mean `MIT`"):
        single_licences(["MTI"])


def test_obligations() -> None:
    """The attribution file gets every part's duties of an AND, and the freest branch's of an OR."""
    assert obligations("CC0-1.0") == ()
    assert "share-alike" in obligations("CC-BY-SA-4.0")
    assert obligations("CC0-1.0 OR CC-BY-SA-4.0") == ()
    assert set(obligations("CC-BY-4.0 AND GPL-3.0-only")) >= {"attribution", "share-alike", "source"}
    assert [item.key for item in licences_in("MIT OR (ISC AND MIT)")] == ["MIT", "ISC"]
    assert licence("MIT").url == "https://spdx.org/licenses/MIT.html"
    assert licence("LicenseRef-Mine").url == ""
