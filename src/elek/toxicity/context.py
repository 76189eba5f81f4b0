"""The second pass: what is meant by the words that the first one found.

It reads the beginning of a document whose lexicon score is at least ASK (with a model also every text of at most SHORT
bytes) and sums evidence in nats: cues of our own, and what a trained classifier says where one is configured. Negative
speaks for a mention: a dictionary's entry, talk about words, medicine, law, history. Positive speaks for an attack:
somebody is addressed. With s the lexicon's score (at least UNHEARD),

    score = sigmoid(logit(s) + evidence)

The cues and their weights were set by hand from general knowledge of both languages and checked on half of a labelled
set; they are ours, from no paper.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from elek.toxicity.lexicon import SEVERITIES

if TYPE_CHECKING:
    from elek.classifier.model import Model

ASK = 0.2
"""Lexicon score below which no evidence could matter: the second pass reads only what is above."""

SHORT = 600
"""Bytes of a text that a model reads though the lexicon is silent: too little to weigh, and cheap to read."""

UNHEARD = 0.1
"""What a text without a match counts as where a model reads it."""

READ = 1000
"""Characters whose cues are looked at."""

CLOSE = 200
"""Characters up to which a text is one utterance, in which `you` is the one who is spoken to."""

MILD = SEVERITIES.index("mild")

LIMIT = 3.0
"""Nats that cues and a model may weigh, each: odds of twenty to one."""

# A headword of at most six words, a colon, and its explanation.
_ENTRY = re.compile(
    r"\A\s*[^\W\d_][\w'’-]*(?: [\w'’-]+){0,5}(?: \((?:n|v|adj|adv|is|sf|e|argo)\.?\))?: +[^\W\d_a-zçğıöşü]"
)
_WORDS_OF_WORDS = re.compile(
    r"\b(?:the (?:word|term|phrase|expression)|slang (?:for|term|word)|derogatory|pejorative|euphemism|etymolog\w+"
    r"|noun|verb|adjective|synonym\w*|dictionary|glossary|meaning of|defined as|lexicon|spelling"
    r"|kelime(?:si|sinin|nin|ler)?|s[öo]zc[üu][ğk]\w*|deyim\w*|terim\w*|arg[oı]\w*|kaba konu\w*|anlam[ıi]n\w*"
    r"|s[öo]zl[üu][ğk]\w*|denir|s[ıi]fat|fiil\w*|mecaz\w*|hakaret sözü|eş anlam\w*|k[öo]keni)\b",
    re.IGNORECASE,
)  # fmt: skip
_LEARNED = re.compile(
    r"\b(?:cancers?|reproductive|biolog\w+|patients?|clinic\w*|diagnos\w+|symptoms?|disease|disorder|therap\w+"
    r"|surg(?:ery|ical)|anatom\w+|hormon\w+|species|mammals?|century|historian\w*|medieval|empire|treaty|archive\w*|legislation|statute"
    r"|jurisdiction|defendant|plaintiff"
    r"|hasta(?:lar|lık|lığı|nın)?|tedavi\w*|belirti\w*|ameliyat\w*|t[ıi]bb[ıi]\w*|anatomi\w*|y[üu]zy[ıi]l\w*"
    r"|kanser\w*|organ(?:lar\w*|ı|ıdır)|[üu]reme\w*|biyoloji\w*|d[öo]llenme\w*|muayene\w*|cinsel sa[ğg]l[ıi]k\w*"
    r"|tarih[çi]\w*|osmanl[ıi]\w*|mahkeme\w*|kanun\w*|memeli\w*|t[üu]rleri)\b",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(
    r"\b(?:you|your|you['’]re|yourself|u|ur|sen|seni|sana|senin|sende|siz|sizi|size|sizin|ulan|lan)\b", re.IGNORECASE
)


def evidence(text: str, worst: int) -> float:
    """Nats for an attack (positive) or a mention (negative) that the cues of a text give, within ±LIMIT.

    `worst` is the severity of its worst match: who is addressed in words that merely may be bad is not attacked.
    """
    head = text[:READ]
    total = 0.0
    if _ENTRY.match(head):
        total -= 1.5
    total -= 1.0 * min(len({found.lower() for found in _WORDS_OF_WORDS.findall(head)}), 2)
    total -= 0.5 * min(len({found.lower() for found in _LEARNED.findall(head)}), 3)
    if worst >= MILD and len(text) <= CLOSE and _ADDRESSED.search(head):
        total += 0.5
    return min(max(total, -LIMIT), LIMIT)


def weigh(
    texts: pa.Array,
    languages: pa.Array,
    lexicon: npt.NDArray[np.float32],
    severity: npt.NDArray[np.int8],
    model: Model | None,
) -> tuple[npt.NDArray[np.float32], pa.Array]:
    """The score of every text, and the probability of an attack at even odds, null where this pass did not read.

    `lexicon` and `severity` are the first pass's. Its score stays where this pass did
    not read. Both results have 4 decimals where it did.
    """
    asked = lexicon >= ASK
    if model is not None:
        asked |= pc.less_equal(pc.binary_length(texts), SHORT).fill_null(False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(asked)
    score = lexicon.copy()
    context = np.full(len(texts), np.nan)
    if len(rows):
        chosen = texts.take(pa.array(rows))
        nats = np.array(
            [evidence(text or "", int(worst)) for text, worst in zip(chosen.to_pylist(), severity[rows], strict=True)]
        )
        if model is not None:
            said = model.log_odds(chosen, languages.take(pa.array(rows))) - model.prior_log_odds
            nats += np.clip(said, -LIMIT, LIMIT)
        base = np.clip(lexicon[rows].astype(np.float64), UNHEARD, 0.9999)
        score[rows] = np.round(_sigmoid(np.log(base / (1 - base)) + nats), 4)
        context[rows] = np.round(_sigmoid(nats), 4)
    return score, pa.array(context.astype(np.float32), mask=~asked)


def _sigmoid(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = 1 / (1 + np.exp(-x))
    return result
