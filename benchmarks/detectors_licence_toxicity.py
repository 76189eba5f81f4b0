"""How well licences and toxicity are told, beside a plain word list and a plain regular expression.

    python -m benchmarks.detectors_licence_toxicity [--toxicity-en F] [--toxicity-tr F] [--licences F]

Toxicity files are JSON Lines with `text`, `label` (0 or 1) and, where there is one, `category`; a licence file has
`text` and `license` (what its maker called it: `GPL-2+`, `Expat`, `BSD-3-clause`…), of which the family counts. Rows
whose name belongs to no family of FAMILIES are counted apart and not judged. Each detector reads the same rows; the
rates are of the whole file, nothing is tuned here. Speeds are MB of UTF-8 per second of processor time, one core.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa

from elek.filtering import Batch
from elek.filters.toxicity import ToxicityFilter
from elek.licences.evidence import find
from elek.licences.finding import family
from elek.licences.spdx import check, normalise
from elek.toxicity.score import score_texts  # the first pass

THRESHOLD = 0.5  # filter.toxicity.max_score as shipped

# What a declared name belongs to: the first sign that it holds, in this order (LGPL before GPL).
FAMILIES = {
    "lgpl": "LGPL", "agpl": "AGPL", "gfdl": "GFDL", "gpl": "GPL", "bsd": "BSD", "apache": "Apache", "mpl": "MPL",
    "cc0": "CC0", "cc-by-sa": "CC-BY-SA", "cc-by": "CC-BY", "expat": "MIT", "mit-cmu": "HPND", "mit": "MIT",
    "isc": "ISC",
    "zlib": "Zlib", "libpng": "Libpng", "public-domain": "LicenseRef-PublicDomain", "artistic": "Artistic",
    "python": "Python", "bsl": "BSL", "beerware": "Beerware", "fsfap": "FSFAP", "fsf-all": "FSFAP", "fsful": "FSFULLR",
    "curl": "curl", "openssl": "OpenSSL", "ftl": "FTL", "unicode": "Unicode-DFS", "ijg": "IJG", "oldap": "OLDAP",
    "openldap": "OLDAP", "afl": "AFL", "ms-pl": "MS-PL", "vim": "Vim", "linux-man": "Linux-man-pages-copyleft",
    "sgi": "SGI-B", "opl": "OPUBL", "bitstream": "Bitstream-Vera", "edl": "BSD", "postgresql": "PostgreSQL",
}  # fmt: skip
PLAIN_LICENCES = {
    "lesser general public": "LGPL", "library general public": "LGPL", "affero": "AGPL", "free documentation": "GFDL",
    "general public license": "GPL", "gpl": "GPL", "apache license": "Apache", "mozilla public": "MPL", "cc0": "CC0",
    "sharealike": "CC-BY-SA", "creative commons": "CC-BY", "permission is hereby granted": "MIT", "bsd": "BSD",
    "redistribution and use": "BSD", "public domain": "LicenseRef-PublicDomain", "artistic": "Artistic", "isc": "ISC",
    "zlib": "Zlib", "libpng": "Libpng", "python": "Python",
}  # fmt: skip

# What the labels of these sets are worth, and so the figures.
WEAKNESS = {
    "en": "(weak: beginnings of sentences whose *continuations* were toxic; many hold no bad word themselves)",
    "tr": "(weak: single words that another filter's tests forbid, most of them without any context)",
}


def read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def words_of(lang: str) -> list[str]:
    """The bare words of our own list: what anybody has who only has the list."""
    text = resources.files("elek.toxicity").joinpath(f"{lang}.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return [row[0].strip("!.+*") for row in rows if row[1] not in ("innocent", "ambiguous")]


def plain_words(texts: Sequence[str], lang: str) -> list[bool]:
    known = set(words_of(lang))
    return [not known.isdisjoint(re.findall(r"\w+", text.lower())) for text in texts]


def plain_regex(texts: Sequence[str], lang: str) -> list[bool]:
    pattern = re.compile("|".join(map(re.escape, sorted(words_of(lang), key=len, reverse=True))), re.IGNORECASE)
    return [bool(pattern.search(text)) for text in texts]


def ours(texts: Sequence[str], lang: str) -> list[bool]:
    same = pa.array([lang] * len(texts))
    batch = Batch(same, pa.array(texts, pa.large_string()), same, same, same, same)
    return [score > THRESHOLD for score in ToxicityFilter().measure(batch)["score"].to_pylist()]


def first_pass(texts: Sequence[str], lang: str) -> list[bool]:
    scores = score_texts(pa.array(texts, pa.large_string()), pa.array([lang] * len(texts)))
    return [bool(score > THRESHOLD) for score in scores.score]


def toxicity(path: Path, lang: str) -> None:
    rows = read(path)
    texts, labels = [row["text"] for row in rows], [bool(row["label"]) for row in rows]
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"\ntoxicity {lang}: {sum(labels)} toxic, {len(labels) - sum(labels)} not ({path.name})")
    print(WEAKNESS[lang])
    print(f"{'':26}{'P':>7}{'R':>7}{'TP':>6}{'FP':>6}{'MB/s':>8}")
    detectors: dict[str, Callable[[Sequence[str], str], list[bool]]] = {
        "elek": ours, "elek, first pass alone": first_pass,
        "plain word list": plain_words, "plain regex, anywhere": plain_regex,
    }  # fmt: skip
    ours(texts[:1], lang)  # compiled outside the clock
    for name, detect in detectors.items():
        start = time.process_time()
        said = detect(texts, lang)
        seconds = time.process_time() - start
        hits = sum(s and label for s, label in zip(said, labels, strict=True))
        wrong = sum(said) - hits
        print(
            f"{name:26}{hits / max(1, hits + wrong):7.3f}{hits / max(1, sum(labels)):7.3f}{hits:6}{wrong:6}"
            f"{size / max(seconds, 1e-6):8.1f}"
        )
    by_category: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for row, said_toxic in zip(rows, ours(texts, lang), strict=True):
        if row["label"] and row.get("category"):
            by_category[row["category"]][said_toxic] += 1
    for category, counts in sorted(by_category.items()):
        print(f"  {category:24}{'':7}{counts[True] / counts.total():7.3f}{counts[True]:6}  of {counts.total()}")


def plain_licence(text: str) -> str:
    lower = " ".join(text.lower().split())
    return next((name for sign, name in PLAIN_LICENCES.items() if sign in lower), "")


def title_regex(text: str) -> str:
    found = re.search(r"\b(AGPL|LGPL|GPL|GFDL|MIT|BSD|Apache|MPL|CC0|CC-BY-SA|CC-BY|ISC|Zlib|Artistic)\b", text)
    return found[1] if found else ""


def licences(path: Path) -> None:
    rows = read(path)
    wanted = [next((name for sign, name in FAMILIES.items() if sign in row["license"].lower()), "") for row in rows]
    judged = [index for index, name in enumerate(wanted) if name]
    texts = [rows[index]["text"] for index in judged]
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"\nlicence blocks: {len(judged)} of a known family, {len(rows) - len(judged)} of none ({path.name})")
    array = pa.array(texts, pa.large_string())
    find(array.slice(0, 1))
    start = time.process_time()
    found = find(array)
    seconds = time.process_time() - start
    said = [family(item[0].licence).split(" ")[0] if item else "" for item in found]
    right = {
        "elek, first finding": [a == wanted[i] for a, i in zip(said, judged, strict=True)],
        "elek, any finding": [
            wanted[i] in " ".join(family(one.licence) for one in item).split()
            for item, i in zip(found, judged, strict=True)
        ],
        "plain word list": [plain_licence(text) == wanted[i] for text, i in zip(texts, judged, strict=True)],
        "plain regex for names": [title_regex(text) == wanted[i] for text, i in zip(texts, judged, strict=True)],
    }
    for name, hits in right.items():
        print(f"{name:26}{sum(hits) / len(hits):7.3f}{sum(hits):6} of {len(hits)}")
    print(f"{'elek':26}{size / max(seconds, 1e-6):7.1f} MB/s on text that is nothing but licences")
    by_family: dict[str, list[bool]] = defaultdict(list)
    for index, hit in zip(judged, right["elek, first finding"], strict=True):
        by_family[wanted[index]].append(hit)
    for name, hits in sorted(by_family.items(), key=lambda item: (-len(item[1]), item[0])):
        print(f"  {name:24}{sum(hits) / len(hits):7.3f}{sum(hits):6} of {len(hits)}")


def marks() -> None:
    """SPDX tags and Creative Commons links, planted in prose among near misses that must not count."""
    identifiers = ["MIT", "GPL-2.0+", "GPL-3.0-only", "Apache-2.0 OR MIT", "CC-BY-4.0", "LGPL-2.1-or-later", "0BSD"]
    identifiers += ["(MIT OR Apache-2.0)", "GPL-2.0 WITH Linux-syscall-note", "Apache-2.0 WITH LLVM-exception"]
    kinds = ["by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd"]
    planted: list[tuple[str, str]] = []
    for wrap in ("# {}\n", "/* {} */\n", "<!-- {} -->\n", ".. {}\n", "{}\n", "<!--{}-->\n", "// {}\r\n"):
        planted += [(wrap.format(f"SPDX-License-Identifier: {name}"), normalise(name)) for name in identifiers]
    for kind in kinds:
        for version in ("2.0", "3.0", "4.0"):
            for tail in ("", "/", "/deed.tr", "/legalcode", "/tr/", "/88x31.png"):
                link = f"see http://creativecommons.org/licenses/{kind}/{version}{tail} there"
                planted.append((link, f"CC-{kind.upper()}-{version}"))
    misses = [
        "SPDX-License-Identifier: <the licence>", "the SPDX-License-Identifier: line names it",
        "creativecommons.org/about", "https://creativecommons.org/licenses/", "https://creativecommons.org/licenses/by/",
        "CC the BY line, 4.0 inches", "SPDX-License-Identifier: your-licence-here", "https://creativecommons.example/by/4.0",
    ]  # fmt: skip
    found = find(pa.array([text for text, _ in planted] + misses, pa.large_string()))
    said = [[item.licence for item in items if item.kind in ("tag", "link")] for items in found]
    hits = sum(names == [expected] for names, (_, expected) in zip(said, planted, strict=False))
    wrong = sum(map(len, said)) - hits
    assert all(check(name) is None for names in said for name in names)
    precision, recall = hits / (hits + wrong), hits / len(planted)
    print(f"\nSPDX tags and CC links, planted: P {precision:.3f}  R {recall:.3f}  of {len(planted)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toxicity-en", type=Path)
    parser.add_argument("--toxicity-tr", type=Path)
    parser.add_argument("--licences", type=Path)
    arguments = parser.parse_args()
    if arguments.toxicity_en:
        toxicity(arguments.toxicity_en, "en")
    if arguments.toxicity_tr:
        toxicity(arguments.toxicity_tr, "tr")
    if arguments.licences:
        licences(arguments.licences)
    marks()


if __name__ == "__main__":
    main()
