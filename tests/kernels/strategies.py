"""Texts that rules stumble over: odd spaces and line ends, ellipses, bullets, repeats, scripts, emoji, NUL."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import strategies as st

ALPHABETS = (
    "ab \n",
    "a \n",
    ".…- •#\n\r\x85ab ",
    "aé €😀\u2028 \n",
    "ab' ’_\u0301 1",
    " \n\t\x1c\x00x",
    "аб вİıß \u3000",
)
WORDS = (
    *("the", "of", "and", "to", "be", "with", "ve", "bir", "bu", "için", "Atatürk’ün", "çok", "don't"),
    *("a", "ab", "b", "…", "...", "-", "•", "#", "1", "😀", "—", "x.y"),
)

characters = st.sampled_from(ALPHABETS).flatmap(lambda alphabet: st.text(st.sampled_from(alphabet), max_size=200))
phrases = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", "  ", "\n", "\n\n", "\t"])).map("".join), max_size=80
).map("".join)
repeated = st.tuples(phrases, st.integers(1, 4), st.sampled_from(["", "\n", " end\n\n"])).map(
    lambda parts: (parts[0] + parts[2]) * parts[1]
)
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
SENTENCES = (
    *(
        "A line ends here.",
        "One. Two! three? 4.",
        "Is it?",
        '"Yes," he said. "No."',
        "It goes on...",
        "Two (words.) Then",
    ),
    *("lorem ipsum dolor sit.", "Lorem  Ipsum it is.", "Turn JavaScript on.", "java[1]script it is.", "a { b c.", "}"),
    *(
        "We use cookies here.",
        "Our Privacy Policy.",
        "use coo\u212aies there.",
        "[edit] See the [٣] page.",
        "[1",
        "[]].",
    ),
    *(
        "Bir şey oldu. İkinci tümce. üçüncü değil.",
        "19. yüzyılda idi.",
        "two words.",
        "x" * 1001 + " a b.",
        "  a b c. ",
    ),
    *(
        "",
        " ",
        "Terms of  use.",
        "the terms of use.",
        "See it.[2]",
        "See it. [2]",
        "[citation needed]!",
        "Bitti。 Yeni».",
    ),
)
pages = st.lists(
    st.tuples(st.sampled_from(SENTENCES), st.sampled_from(["\n", "\n", " ", "\r\n", "\u2028", "\x85", " \n "])).map(
        "".join
    ),
    max_size=20,
).map("".join)
texts = st.one_of(pages, characters, phrases, repeated, anything)


def large(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())
