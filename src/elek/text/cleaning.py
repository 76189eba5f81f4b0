"""`clean`: the steps that every text goes through before anything is measured.

Each step is a function from text to text that can be switched off in params; the number of documents that it changed is
counted. The order matters: encodings are repaired before the traces of misread bytes (such as C1 controls) are removed,
markup is stripped before the characters of its entities are normalised, and personal data is masked last, in the final
text. Time is linear in the length of the text, even for a single line of 100 MB.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.dataset import DOCUMENT, OPT_OUT, Part, read_part, write_part
from elek.params import Section
from elek.pii import PII_TYPES, PiiType, find, mask, replace
from elek.text.markup import reservations
from elek.text.steps import ALL, BROKEN, STEPS, SUSPECTED, clean_characters, clean_unicode, clean_whitespace

A = TypeVar("A", bound=pa.Array)

SCHEMA = pa.schema([*DOCUMENT, *(pa.field(f"pii.{kind}", pa.int32(), nullable=False) for kind in PII_TYPES)])
"""Documents with the number of placeholders of each kind."""


URL_KINDS: tuple[PiiType, ...] = ("email", "phone", "iban")
"""What is masked in URLs. Of other kinds the numbers of pages have too many by chance: one in ten of sixteen digits
passes for a card, and an IP address names a server."""
_IN_URL = (
    r"(?i)@|%40|wa\.me/|\+[0-9]{7}|(?:tel|telefon|phone|mobile|gsm|cep|fax|faks)\w{0,8}[=:]"
    r"|(?:^|[^a-z0-9])[a-z]{2}[0-9]{2}[a-z0-9 .\-]{11}"
)
"""What a URL has that holds one of them: told at once, where to ask the detectors takes 27 µs."""


class CleanParams(Section):
    """Which steps are taken."""

    encoding: bool = True
    """Repair misread UTF-8 (ftfy), and Turkish that was misread as Latin-1."""

    markup: bool = True
    """Turn documents that are HTML into plain text; text about HTML is left as it is."""

    characters: bool = True
    """Drop control, zero-width and direction characters, soft hyphens and lone surrogates; LF ends every line;
    no-break and typographic spaces become plain ones. Tab and newline stay."""

    unicode: bool = True
    """Normalise to NFC."""

    whitespace: bool = True
    """Drop spaces at line ends, empty lines at both ends, and more than two empty lines in a row."""

    pii: tuple[PiiType, ...] = PII_TYPES
    """Kinds of personal data that are replaced by a placeholder and counted."""


def clean_text(text: str, params: CleanParams, lang: str = "", suspected: int = ALL) -> tuple[str, list[str]]:
    """The cleaned text, and the names of the steps that changed it. Personal data is not masked here.

    `lang` is the declared language, since one repair applies to Turkish only. `suspected` are the steps that could
    change the original text; after the first change, all later steps are taken.
    """
    steps = _steps(lang)
    changes: list[str] = []
    for name in STEPS:
        if getattr(params, name) and (changes or suspected & SUSPECTED[name]):
            before, text = text, steps[name](text)
            if text != before:
                changes.append(name)
    return text, changes


@cache
def _steps(lang: str) -> Mapping[str, Callable[[str], str]]:
    from elek.text.encoding import repair, repair_turkish  # ftfy: only where text is read
    from elek.text.markup import strip_markup

    return {
        "encoding": (lambda text: repair_turkish(repair(text))) if lang == "tr" else repair,
        "markup": strip_markup,
        "characters": clean_characters,
        "unicode": clean_unicode,
        "whitespace": clean_whitespace,
    }


def add_opt_out(meta: str, reserved: Collection[str]) -> str:
    """The JSON object `meta` with the reservations of a page's head, which stripping the markup would lose."""
    if not reserved:
        return meta
    found = json.loads(meta)
    before = found.get(OPT_OUT, [])
    found[OPT_OUT] = sorted({*reserved, *(before if isinstance(before, list) else [])})
    return json.dumps(found, ensure_ascii=False, sort_keys=True)


def mask_meta(meta: str, kinds: Collection[PiiType]) -> str:
    """A JSON object with personal data masked in its keys, strings and numbers.

    A value is judged with its key as context: without it, the value of `"phone": "2025550143"` could be any number.
    """
    if not find(meta.replace("_", " "), kinds):
        return meta

    def masked(value: Any, key: str = "") -> Any:
        if isinstance(value, list):
            return [masked(item, key) for item in value]
        if isinstance(value, dict):
            return {mask(name, kinds)[0]: masked(item, name) for name, item in value.items()}
        if isinstance(value, bool) or not isinstance(value, str | int):
            return value
        lead = f"{key.replace('_', ' ')}: "
        found = mask(f"{lead}{value}", kinds)[0]
        found = found.removeprefix(lead) if found.startswith(lead) else mask(str(value), kinds)[0]
        return value if found == str(value) else found

    return json.dumps(masked(json.loads(meta)), ensure_ascii=False, sort_keys=True)


def mask_url(url: str, kinds: Collection[PiiType] = URL_KINDS) -> str:
    """A URL with personal data masked, its @ plain or as `%40`."""
    plain = url.replace("%40", "@")
    # All kinds are looked for: a card is not to be taken for a telephone.
    spans = [span for span in find(plain) if span.type in kinds]
    return replace(plain, spans) if spans else url


@dataclass(frozen=True)
class CleanTask:
    """Part `index` of a dataset of documents: read `source`, write into the folder `out`."""

    source: Path
    out: Path
    index: int
    params: CleanParams


def clean_part(task: CleanTask) -> Part:
    """Clean one part and write it, row for row. Memory: three times its text, and strings of what changes."""
    table, counts = clean_table(read_part(task.source, DOCUMENT.names), task.params)
    return write_part(task.out, task.index, table, counts)


def clean_table(documents: pa.Table, params: CleanParams) -> tuple[pa.Table, dict[str, int]]:
    """The documents, cleaned and masked (`SCHEMA`), in the same order, and counts.

    Counts: `documents`, `bytes_in` and `bytes_out` (UTF-8), documents `changed` by any step and `changed.<step>` by
    one, and placeholders `pii.<kind>`.
    """
    counts = dict.fromkeys(["documents", "bytes_in", "bytes_out", "changed"], 0)
    counts |= {f"changed.{name}": 0 for name in (*STEPS, "pii")} | {f"pii.{kind}": 0 for kind in PII_TYPES}
    changed = np.zeros(len(documents), bool)
    text, metas = _cleaned(documents, params, counts, changed)
    masked = {kind: np.zeros(len(documents), np.int32) for kind in PII_TYPES}
    if params.pii:
        from elek.pii.scan import traces  # compiles on first use

        hidden = {}
        for row, seen in traces(text):
            hidden_text, found = mask(text[row].as_py(), params.pii, seen)
            if found:
                hidden[row] = hidden_text
                for kind, number in found.items():
                    masked[kind][row] = number
                    counts[f"pii.{kind}"] += number
        counts["changed.pii"] = len(hidden)
        changed[list(hidden)] = True
        text = _replaced(text, hidden)
        said = pc.replace_substring(metas.cast(pa.large_string()), "_", " ")  # as `mask_meta` reads it
        held = {row: mask_meta(metas[row].as_py(), params.pii) for row, _ in traces(said)}
        metas = _replaced(metas, held)
    counts["documents"], counts["changed"] = len(documents), int(changed.sum())
    counts["bytes_in"], counts["bytes_out"] = _bytes(documents["text"]), _bytes(text)
    columns = {name: documents[name] for name in DOCUMENT.names} | {"text": text, "meta": metas}
    if kinds := [kind for kind in URL_KINDS if kind in params.pii]:
        urls = documents["url"].combine_chunks()
        suspect = np.flatnonzero(pc.match_substring_regex(urls, _IN_URL).to_numpy(zero_copy_only=False)).tolist()
        columns["url"] = _replaced(urls, {row: mask_url(urls[row].as_py(), kinds) for row in suspect})
    columns |= {f"pii.{kind}": pa.array(masked[kind]) for kind in PII_TYPES}
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA), counts


def _cleaned(
    documents: pa.Table, params: CleanParams, counts: dict[str, int], changed: npt.NDArray[np.bool_]
) -> tuple[pa.LargeStringArray, pa.StringArray]:
    """Cleaned texts, and `meta` with the reservations in their markup. Updates `counts` and `changed`."""
    from elek.text.scan import suspicions  # compiles on first use

    langs = documents["lang"].to_pylist()
    text, metas = documents["text"].combine_chunks(), documents["meta"].combine_chunks()
    # As bytes, since the writer of the part may have put surrogates or invalid UTF-8 into a column of strings.
    raw, suspects = text.view(pa.large_binary()), suspicions(text)
    cleaned, reserved = {}, {}
    for row in np.flatnonzero(suspects).tolist():
        value = raw[row].as_py()
        before = value.decode("utf-8", "replace")
        after, changes = clean_text(before, params, langs[row], int(suspects[row]))
        if "markup" in changes and b"<meta" in value.lower():
            reserved[row] = add_opt_out(metas[row].as_py(), reservations(before))
        if changes or suspects[row] & BROKEN:
            cleaned[row] = after
        for name in changes:
            counts[f"changed.{name}"] += 1
        changed[row] = bool(changes)
    return _replaced(text, cleaned), _replaced(metas, reserved)


def _replaced(column: A, values: Mapping[int, str]) -> A:
    """A column of strings with new `values` by row, in ascending order of rows."""
    if not values:
        return column
    some = np.zeros(len(column), bool)
    some[list(values)] = True
    replaced: A = pc.replace_with_mask(column, pa.array(some), pa.array(list(values.values()), column.type))
    return replaced


def _bytes(text: pa.Array | pa.ChunkedArray) -> int:
    return int(pc.sum(pc.binary_length(text)).as_py() or 0)
