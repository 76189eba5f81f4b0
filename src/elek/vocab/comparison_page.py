"""`Comparison` as one page that needs no network: a table, and a passage of each language cut by each vocabulary."""

from __future__ import annotations

from html import escape

from elek.vocab.comparison import Comparison

_HEADS = ("Vocabulary", "Language", "Tokens per word", "Bytes per token", "Unknown", "Byte fallback", "Exact")
_STYLE = """
:root { color-scheme: light dark; --c0: #cfe3f5; --c1: #fbe0b6; --c2: #d6ecc8; --c3: #f3cdd8; --ink: #1c2430; }
@media (prefers-color-scheme: dark) { :root { --c0: #274a68; --c1: #664a17; --c2: #33562a; --c3: #6a3346;
                                                   --ink: #e9edf2; } }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink);
       background: light-dark(#fff, #14181f); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { padding: .3rem .6rem; border-bottom: 1px solid #8884; text-align: right; }
td:first-child, th:first-child, td:nth-child(2), th:nth-child(2) { text-align: left; } td { white-space: nowrap; }
.cut { overflow-wrap: anywhere; } .cut span { border-radius: .2rem; padding: .05rem 0; white-space: pre-wrap; }
.cut span:nth-child(4n) { background: var(--c0); } .cut span:nth-child(4n+1) { background: var(--c1); }
.cut span:nth-child(4n+2) { background: var(--c2); } .cut span:nth-child(4n+3) { background: var(--c3); }
figcaption { font-size: .85rem; opacity: .75; margin-top: .2rem; } figure { margin: 0 0 1rem; }
"""


def page(comparison: Comparison) -> str:
    """HTML; the same comparison, the same bytes (speeds, which no two runs share, are left out)."""
    rows = []
    for row in comparison.rows:
        figures = row.figures()
        cells = (
            row.vocabulary,
            row.lang,
            f"{figures['fertility']:.2f}",
            f"{figures['bytes_per_token']:.2f}",
            f"{figures['unknown']:.2%}",
            f"{figures['byte_fallback']:.2%}",
            f"{figures['exact']:.0%}",
        )
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    passages = []
    for lang in sorted({sample[0] for sample in comparison.samples}):
        passages.append(f'<h2 lang="{escape(lang, quote=True)}">{escape(lang)}</h2>')
        for own, _, name, pieces in comparison.samples:
            if own == lang:
                spans = "".join(f"<span>{escape(_shown(piece, name))}</span>" for piece in pieces)
                passages.append(
                    f'<figure><div class="cut" lang="{escape(lang, quote=True)}">{spans}</div>'
                    f"<figcaption>{escape(name)}: {len(pieces)} tokens</figcaption></figure>"
                )
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Vocabularies compared</title><style>{_STYLE}</style></head><body><h1>Vocabularies compared</h1>"
        f"<p>{comparison.size:,} pieces each, learned from the same {comparison.trained_on_bytes / 1e6:.1f} MB, "
        "measured on held-out text. Fertility (tokens per word) says how finely words are cut; what is unknown is "
        "lost; byte fallback is the share of tokens that are single bytes of a character without a piece; exact is the "
        "share of documents that the tokens give back.</p>"
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f"{''.join(passages)}"
        "</body></html>\n"
    )


def _shown(piece: str, vocabulary: str) -> str:
    return f"{piece} " if vocabulary == "whole words" else piece
