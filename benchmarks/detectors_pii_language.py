"""Precision and recall of the PII detectors and of language identification, beside a plain baseline.

    python -m benchmarks.detectors_pii_language FILE.jsonl …

A file whose lines have `spans` ({"text", "spans": [{"type", "start", "end"}]}) is a PII set; a span counts as found
when type, start and end agree. A file whose lines have `lang` ({"text", "lang", "subset"?}) is a language set.
The baselines are what one would write in five minutes. PII: one regular expression per kind, no checksum and no
context; and the number or address that stands behind a word such as `phone` or `IBAN`. Languages: which of two lists
of function words has more in the text; and a regular expression, the letters of Turkish or an English ending.
Speed is processor time of one core.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from elek.language import identify
from elek.pii import PII_TYPES, find

ALIASES = {
    "email": "email email_address",
    "phone": "phone phone_number gsm mobile fax",
    "iban": "iban iban_tr iban_code",
    "card": "card credit_card credit_card_number",
    "tckn": "tckn tc_kimlik tr_id",
    "ip": "ip ip_address ipv4 ipv6",
}
KIND = {alias: kind for kind, aliases in ALIASES.items() for alias in aliases.split()}

PLAIN = {
    "email": r"\S+@\S+\.\w+",
    "phone": r"\+?\(?\d[\d ().-]{7,}\d",
    "iban": r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b",
    "card": r"\b\d{13,19}\b",
    "tckn": r"\b\d{11}\b",
    "ip": r"\b\d{1,3}(?:\.\d{1,3}){3}\b",
}
# What stands behind a word that announces it.
BEHIND = {
    "email": (r"e-?mail|e-?posta|mail|contact|address|adres\w*", r"[^\s,;<>()]+@[^\s,;<>()]+"),
    "phone": (r"phone|tel\w*|mobile|fax|gsm|cep|call|numara\w*", r"\+?[\d(][\d ().-]{6,}\d"),
    "iban": (r"iban|account|hesap", r"[A-Z]{2}\d[A-Z0-9 ]{12,32}[A-Z0-9]"),
    "card": (r"card|kart\w*|credit|kredi", r"\d[\d -]{11,21}\d"),
    "tckn": (r"kimlik|tckn|t\.?c\.?", r"\d{11}"),
    "ip": (r"ip|server|host|sunucu\w*", r"\d[\d.]+\d"),
}
WORDS = {
    "tr": "ve bir bu da de için ile olarak çok daha ne gibi kadar var yok değil sonra o ki ama mi mı en her olan",
    "en": "the of and to a in is that it for on with as was be by he at are this have not but from they you",
}

SHORT = 40

Spans = set[tuple[str, int, int]]


def plain_find(text: str) -> Spans:
    return {(kind, m.start(), m.end()) for kind, pattern in PLAIN.items() for m in re.finditer(pattern, text)}


def behind_words(text: str) -> Spans:
    found = set()
    for kind, (words, pattern) in BEHIND.items():
        for match in re.finditer(rf"\b(?:{words})\b\W{{0,4}}(?:\w+\W{{1,3}}){{0,2}}?({pattern})", text, re.IGNORECASE):
            found.add((kind, match.start(1), match.end(1)))
    return found


def letters_identify(text: str) -> str:
    if re.search("[ğışĞİŞ]", text):
        return "tr"
    return "en" if re.search(r"\b(?:the|\w+(?:ing|ed|tion))\b", text, re.IGNORECASE) else "und"


def plain_identify(text: str) -> str:
    words = Counter(text.lower().split())
    hits = {lang: sum(words[word] for word in known.split()) for lang, known in WORDS.items()}
    best = max(hits, key=lambda lang: hits[lang])
    return best if hits[best] else "und"


def rates(gold: Iterable[Any], predicted: Iterable[Any], label: str, of: Callable[[Any], str]) -> str:
    right = wrong = missed = 0
    for truth, guess in zip(gold, predicted, strict=True):
        true_ones, guesses = {t for t in truth if of(t) == label}, {g for g in guess if of(g) == label}
        right += len(true_ones & guesses)
        wrong += len(guesses - true_ones)
        missed += len(true_ones - guesses)
    precision = f"{right / (right + wrong):.3f}" if right + wrong else "  -  "
    recall = f"{right / (right + missed):.3f}" if right + missed else "  -  "
    return f"{precision} {recall}"


def table(name: str, rows: int, gold: list[Any], answers: dict[str, list[Any]], labels: Sequence[str]) -> None:
    def of(item: Any) -> str:
        return str(item[0] if isinstance(item, tuple) else item)

    print(f"\n{name}: {rows} texts\n{'':8}{'n':>6}   " + "   ".join(f"{who:11}" for who in answers))
    print(f"{'':14}   " + "   ".join("  P     R   " for _ in answers))
    for label in labels:
        count = sum(of(item) == label for items in gold for item in items)
        print(f"{label:8}{count:>6}   " + "   ".join(rates(gold, given, label, of) for given in answers.values()))


def pii(name: str, rows: list[dict[str, Any]]) -> None:
    gold = [{(KIND[s["type"]], s["start"], s["end"]) for s in row["spans"] if s["type"] in KIND} for row in rows]
    find("")
    start = time.process_time()
    ours = [set(find(row["text"])) for row in rows]
    seconds = time.process_time() - start
    seen = {s["type"] for row in rows for s in row["spans"]} | {span.type for spans in ours for span in spans}
    present = [kind for kind in PII_TYPES if kind in {KIND.get(alias) for alias in seen} | seen]
    answers: dict[str, list[Any]] = {
        "elek": ours,
        "word list": [behind_words(row["text"]) for row in rows],
        "regex": [plain_find(row["text"]) for row in rows],
    }
    table(name, len(rows), gold, answers, present)
    print("(weak: most numbers and addresses were made by a generator, in sentences from templates)")
    print(f"{len(rows) / seconds:,.0f} texts/s")


def language(name: str, rows: list[dict[str, Any]]) -> None:
    texts = [row["text"] for row in rows]
    identify(texts)  # loads both models
    start = time.process_time()
    labels, _ = identify(texts)
    seconds = time.process_time() - start
    gold, ours = [{row["lang"]} for row in rows], [{label} for label in labels.to_pylist()]
    answers: dict[str, list[Any]] = {
        "elek": ours,
        "word list": [{plain_identify(text)} for text in texts],
        "regex": [{letters_identify(text)} for text in texts],
    }
    table(name, len(rows), gold, answers, ["tr", "en"])
    short = [index for index, text in enumerate(texts) if len(text) <= SHORT]
    parts = {who: [given[index] for index in short] for who, given in answers.items()}
    table(f"of these, at most {SHORT} characters", len(short), [gold[index] for index in short], parts, ["tr", "en"])
    print("(weak: the Crimean Tatar rows are messages of programs, more than half of which are plainly in Turkish)")
    pairs = zip(rows, labels.to_pylist(), strict=True)
    confused = Counter(row.get("subset", row["lang"]) for row, label in pairs if label == "tr" != row["lang"])
    print(f"taken for Turkish: {dict(confused.most_common()) or 'nothing'}\n{len(rows) / seconds:,.0f} texts/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+")
    for path in parser.parse_args().files:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        (pii if "spans" in rows[0] else language)(path.name, rows)


if __name__ == "__main__":
    main()
