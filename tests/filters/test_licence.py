"""The licence filter: signals of a batch, decisions by policy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elek.errors import ParamsError
from elek.filtering import Batch, FilterParams, decide
from elek.filters.licence import LicenceFilter
from elek.licences.params import LicenceParams
from elek.params import parse

LICENCES = ["MIT", "gpl-3.0", "LicenseRef-PublicDomain", "no such licence", "CC-BY-NC-4.0", "BSD-3-Clause"]
TEXTS = ["", "plain", "plain", "plain", "plain", "# SPDX-License-Identifier: AGPL-3.0-only\ncode"]


def batch() -> Batch:
    rows = len(LICENCES)
    word = pa.array(["en"] * rows)
    return Batch(
        id=pa.array([str(row) for row in range(rows)]), text=pa.array(TEXTS, pa.large_string()), lang=word,
        declared_lang=word, license=pa.array(LICENCES), source=word,
    )  # fmt: skip


def failures(tmp_path: Path, **params: object) -> dict[str, list[int]]:
    """Rows that each rule fails, with the signals read back from Parquet as `filter` reads them."""
    measured = LicenceFilter().measure(batch())
    pq.write_table(pa.table(measured), tmp_path / "signals.parquet")
    signals = pq.read_table(tmp_path / "signals.parquet")
    verdicts = LicenceFilter().decide(signals, LicenceParams.model_validate(params), batch().lang)
    return {verdict.rule: np.flatnonzero(verdict.failed).tolist() for verdict in verdicts}


def test_signals() -> None:
    """Declared licences are normalised, categories known, evidence empty where there is none."""
    measured = LicenceFilter().measure(batch())
    assert {name: array.type for name, array in measured.items()} == dict(LicenceFilter.signals)
    assert measured["declared"].to_pylist()[1] == "GPL-3.0-only"
    assert measured["category"].to_pylist() == [
        "permissive", "copyleft", "public-domain", "unknown", "non-commercial", "permissive",
    ]  # fmt: skip
    assert [bool(value) for value in measured["evidence"].to_pylist()] == [False] * 5 + [True]
    assert measured["contradiction"].to_pylist() == [False] * 5 + [True]


def test_the_default_policy_refuses_copyleft_and_one_line_lets_it_in(tmp_path: Path) -> None:
    """`policy: permissive` drops GPL text, `policy: open` takes it, `research` takes non-commercial text too."""
    assert failures(tmp_path)["licence.policy"] == [1, 4]
    assert failures(tmp_path, policy="open")["licence.policy"] == [4]
    assert failures(tmp_path, policy="research")["licence.policy"] == []


def test_the_unknown_never_passes_in_silence(tmp_path: Path) -> None:
    """An unknown licence fails under every policy until the rule is switched off by name."""
    for policy in ("permissive", "open", "research", "any"):
        assert failures(tmp_path, policy=policy)["licence.unknown"] == [3]
    assert "licence.unknown" not in failures(tmp_path, unknown=False)


def test_contradiction_can_be_switched_off(tmp_path: Path) -> None:
    """A document that names a stricter licence of itself is dropped, unless one says otherwise."""
    assert failures(tmp_path)["licence.contradiction"] == [5]
    assert "licence.contradiction" not in failures(tmp_path, contradiction="keep")


def test_a_contradiction_can_be_held(tmp_path: Path) -> None:
    """`hold` fails the document by a rule of its own, so that it is told apart from what is dropped for good."""
    found = failures(tmp_path, contradiction="hold")
    assert found["licence.held"] == [5]
    assert "licence.contradiction" not in found
    assert "licence.held" not in failures(tmp_path)


def test_what_is_held_can_be_released_one_by_one() -> None:
    """By id and with a reason, which the decisions keep; what is dropped, or not on hold, is not let go by it."""
    signals = {f"licence.{name}": array for name, array in LicenceFilter().measure(batch()).items()}
    table = pa.table({"id": batch().id, "language.rules": batch().lang, **signals})
    ids = batch().id.to_pylist()
    release = {ids[5]: "the header is quoted", ids[3]: "unknown, and stays so"}
    for response, kept, reasons in (("hold", True, [None] * 5 + ["the header is quoted"]), ("drop", False, [None] * 6)):
        section = {"contradiction": response, "release": release}
        decided = decide(table, FilterParams.model_validate({"licence": section}))
        assert decided["kept"].to_pylist()[5] is kept
        assert decided["released"].to_pylist()[:6] == reasons
        assert decided["kept"].to_pylist()[3] is False
    with pytest.raises(ParamsError, match="release"):
        FilterParams.model_validate({"licence": {"release": {"x": ""}}})


@pytest.mark.parametrize(("response", "rule"), [("drop", "opt_out"), ("hold", "held"), ("keep", None)])
def test_what_reserves_itself_is_dropped_or_held(response: str, rule: str | None) -> None:
    """A reservation against text and data mining is asked for by name, whatever the declared licence allows."""
    text = pa.array(["tdm-reservation: 1\nA page of text.", "A page of text."], pa.large_string())
    words = pa.array(["en", "en"])
    measured = pa.table(LicenceFilter().measure(Batch(words, text, words, words, pa.array(["MIT", "MIT"]), words)))
    assert measured["opt_out"].to_pylist() == [True, False]
    params = LicenceParams.model_validate({"opt_out": response})
    failed = [verdict.rule for verdict in LicenceFilter().decide(measured, params, words) if verdict.failed[0]]
    assert failed == ([] if rule is None else [f"licence.{rule}"])


def test_allow_and_deny_in_any_spelling(tmp_path: Path) -> None:
    """The lists take identifiers as people write them."""
    assert failures(tmp_path, allow=["GPL-3.0"], deny=["mit"])["licence.policy"] == [0, 4]


def test_evidence_is_told(tmp_path: Path) -> None:
    """Every failure says what was seen; value and threshold are null, for nothing is compared."""
    signals = {f"licence.{name}": array for name, array in LicenceFilter().measure(batch()).items()}
    table = pa.table({"id": batch().id, "language.rules": batch().lang, **signals})
    rows = decide(table, FilterParams.model_validate({"licence": {}})).to_pylist()
    [failure] = rows[1]["failures"]
    assert failure == {
        "rule": "licence.policy", "value": None, "threshold": None,
        "evidence": "GPL-3.0-only is copyleft; policy permissive allows public-domain, permissive",
    }  # fmt: skip
    assert [item["rule"] for item in rows[3]["failures"]] == ["licence.unknown"]
    assert "no such licence" in rows[3]["failures"][0]["evidence"]
    assert "AGPL-3.0-only" in rows[5]["failures"][0]["evidence"]
    assert rows[0]["kept"]
    assert rows[2]["kept"]


@pytest.mark.parametrize(
    ("section", "hint"),
    [({"policy": "opn"}, "policy"), ({"allow": ["MTI"]}, "`MIT`"), ({"deny": ["MIT OR ISC"]}, "one by one")],
)
def test_wrong_params_are_explained(section: dict[str, object], hint: str) -> None:
    """A typo in policy, allow or deny is told before anything runs."""
    with pytest.raises(ParamsError, match=hint):
        parse("filter.licence", section, LicenceParams)


def test_a_reservation_that_stood_in_the_page_s_head_counts() -> None:
    """What `fetch` and `clean` keep of it under `opt_out` of `meta` drops the document, and the evidence says where it
    stood; a key of the same name that is no list of marks says nothing."""
    word = pa.array(["en"] * 4)
    text = pa.array(["plain"] * 4, pa.large_string())
    meta = pa.array(["{}", '{"opt_out": ["tdm-reservation: 1"]}', '{"opt_out": []}', '{"opt_out": "no"}'])
    batch = Batch(word, text, word, word, pa.array(["MIT"] * 4), word, meta=meta)
    measured = LicenceFilter().measure(batch)
    assert measured["opt_out"].to_pylist() == [False, True, False, False]
    verdicts = LicenceFilter().decide(pa.table(measured), LicenceParams(), word)
    (verdict,) = [verdict for verdict in verdicts if verdict.rule == "licence.opt_out"]
    assert verdict.failed.tolist() == [False, True, False, False]
    assert verdict.evidence is not None
    assert "no text and data mining (opt-out in the page's head" in verdict.evidence[1].as_py()


def test_the_licence_that_a_page_links_as_its_own_is_evidence() -> None:
    """A stricter one contradicts the declaration, one where nothing is declared stands in for it, and one that nobody
    knows is told and convinces nobody."""
    by_nc, by = ("https://creativecommons.org/licenses/by-nc/4.0/deed.tr", "//creativecommons.org/licenses/by/4.0/")
    linked = [[by_nc], [by], ["https://example.org/terms"], [by_nc], [by], "no", [3]]
    declared = ["CC-BY-4.0", "CC-BY-4.0", "MIT", "NOASSERTION", "NOASSERTION", "MIT", "MIT"]
    word, text = pa.array(["en"] * 7), pa.array(["plain"] * 7, pa.large_string())
    meta = pa.array([json.dumps({"licence_links": links}) for links in linked])
    batch = Batch(word, text, word, word, pa.array(declared), word, meta=meta)
    measured = LicenceFilter().measure(batch)
    assert measured["contradiction"].to_pylist() == [True, *[False] * 6]
    found = [[item["licence"] for item in json.loads(value or "[]")] for value in measured["evidence"].to_pylist()]
    assert [" ".join(names) for names in found] == [
        *("CC-BY-NC-4.0", "CC-BY-4.0", "NOASSERTION", "CC-BY-NC-4.0", "CC-BY-4.0", "", ""),
    ]
    verdicts = LicenceFilter().decide(pa.table(measured), LicenceParams(undeclared="evidence"), word)
    failed = {verdict.rule: verdict.failed.tolist() for verdict in verdicts}
    assert failed["licence.policy"] == [False, False, False, True, False, False, False]
    (verdict,) = [verdict for verdict in verdicts if verdict.rule == "licence.contradiction"]
    assert verdict.evidence is not None
    assert "says of itself: CC-BY-NC-4.0 (link in its markup or headers" in verdict.evidence[0].as_py()


def test_what_a_document_says_of_itself_is_not_lost_among_what_it_says_of_others() -> None:
    """Of many findings the evidence keeps its own first: by them a document without a declaration is judged."""
    links = "".join(
        f"https://creativecommons.org/licenses/{kind}/{version}/\n"
        for kind in ("by", "by-sa")
        for version in ("1.0", "2.0", "2.5", "3.0", "4.0")
    )
    text = "License: GPL-3.0-only\n\nPictures are by others:\n" + links
    word = pa.array(["en"])
    batch = Batch(word, pa.array([text], pa.large_string()), word, word, pa.array(["NOASSERTION"]), word)
    measured = LicenceFilter().measure(batch)
    verdicts = LicenceFilter().decide(pa.table(measured), LicenceParams(undeclared="evidence"), word)
    assert {verdict.rule: bool(verdict.failed[0]) for verdict in verdicts}["licence.policy"]
