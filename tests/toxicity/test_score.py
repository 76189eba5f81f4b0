"""The first pass: what it sees, what it excuses, and how length weighs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.toxicity.lexicon import CATEGORIES, SEVERITIES, load
from elek.toxicity.score import Scores, score_texts

PROSE = "the harbour was quiet that morning and the boats lay still upon the water "


def score(texts: list[str], lang: str = "en") -> Scores:
    return score_texts(pa.array(texts, pa.large_string()), pa.array([lang] * len(texts)))


@pytest.mark.parametrize(
    "text",
    ["fuck", "FUCKING", "shiiiiit", "sh1t", "$hit shit", "f**k", "f***", "fuuuck", "f.u.c.k", "f u c k you",
     "fúck", "mother-fucker", "motherfucker's", "bull\u200bshit", "a$$hole", "son of a bitch", "piece of shit",
     "ass.hole", "mother_fucker", "f#ck", "fuсk", "shіt", "аsshole", "роrn",
     "𝐟𝐮𝐜𝐤", "𝓕𝓾𝓬𝓴", "𝑠ℎ𝑖𝑡", "ｆｕｃｋ", "ⓕⓤⓒⓚ", "🅕🅤🅒🅚", "🅵🆄🅲🅺"],
)  # fmt: skip
def test_english_disguises_are_seen_through(text: str) -> None:
    """Capitals, drawn-out letters, digits, signs, stars, spacing, accents, zero-width characters, a cut
    in two and Cyrillic letters hide nothing."""
    found = score([text])
    assert found.severity[0] >= 3
    assert found.score[0] > 0.5


@pytest.mark.parametrize(
    "text",
    ["a m k", "a m k ya", "g ö t", "si.ktir", "sik-tir git", "s.iktir", "o_rospu", "ѕiktir", "оrospu", "s#ktir",
     "salağın teki", "dangalağa", "pezevengin", "götlük", "götümü ye", "amcuk", "yarramı ye", "sikeyim", "sikiyorlar",
     "siklemedi", "sıçıyor", "daşşağını", "şırfıntı",
     "s*k", "s#k beni", "sikilmişler", "sikişmek", "sikismek", "amınıza koyayım", "sigtir", "𝐬𝐢𝐤𝐭𝐢𝐫", "ｏｒｏｓｐｕ",
     "siktir", "hassiktir", "SİKTİR", "SIKTIR", "siktirgit", "s.i.k.t.i.r", "orospular", "OROSPU ÇOCUĞU",
     "orospu cocugu", "şerefsizler", "serefsizlik", "göt", "6öt", "pu$t", "puştlar", "amına koyayım", "aminakoyayim",
     "piç kurusu", "yavşaklık", "gerizekalısın", "aptallar", "salaksın", "kaltağın", "ibneler"],
)  # fmt: skip
def test_turkish_stems_with_suffixes_and_without_marks(text: str) -> None:
    """Inflected, capitalised by either rule, or typed without Turkish letters: the stem is recognised."""
    assert score([text], "tr").score[0] > 0.5


@pytest.mark.parametrize(
    "text",
    ["sık sık", "sik sik gelirdi", "sıkıntı", "SIKINTI", "sıkılmak", "götürmek", "gotik", "Gotham",
     "memeli hayvanlar", "amcam", "amca", "ama", "aman", "ameliyat", "amerika", "malzeme", "maliye bakanı",
     "malik", "boksör", "dolu bir gün", "namus", "ahlak dersi", "şık bir elbise", "çok mal ve hizmet üretildi",
     "sikke", "siklon", "pikachu", "bisiklet", "klasik", "müzik", "tasarım", "kitap adı", "domalan mantarı",
     "geminin kıç tarafı", "Saksonya", "gırtlağını temizledi", "ağzını yüzünü yıkadı", "cinayet", "işkence yasağı",
     "döl yatağı", "mal müdürü", "canimi sikiyor", "meme ucu", "skim milk", "kahpe felek", "kodumun çıktısı",
     "sikildim", "sikiyonetim", "sikisik trafik", "sikisiyor", "sikilmis limon", "fetişizm", "y=s*k", "2*s*k", "s*k+1",
     "Ulan Bator", "𝐦𝐚𝐭𝐞𝐦𝐚𝐭𝐢𝐤", "Мал", "оса", "а м к", "си.ктир"],
)  # fmt: skip
def test_turkish_look_alikes_are_innocent(text: str) -> None:
    """Words that merely hold the letters of an oath say nothing; `ı` is not `i`, and `ş` is not `s`."""
    assert score([text], "tr").score[0] <= 0.5


@pytest.mark.parametrize(
    "text",
    ["Scunthorpe", "class assignment", "a cocktail in Essex", "the cockpit", "Dickens", "assess the bass",
     "spicy spices", "**bold** and *emphasis*", "if (a * b ** c)", "analysis", "therapist", "titanic",
     "a5b3 0xA55 h3e8", "$cash", "user@example.org", "the shiites", "fire retardant", "chink in the armor",
     "A. S. S. Byatt", "pass", "goto", "Hello", "a bulletin", "bulleted list", "niggardly", "he pricked his ears",
     "Homo sapiens", "a pussy willow", "killer whales", "an attack vector", "a wire stripper", "Rio Negro", "spooky",
     "bit.chunks", "x.hit and s.hits", "self.as_set", "a b c", "page#section", "C# and F#"],
)  # fmt: skip
def test_english_look_alikes_are_innocent(text: str) -> None:
    """Whole words only, and what has an innocent reading is excused."""
    assert score([text]).score[0] == 0


@pytest.mark.parametrize(
    ("lang", "text"),
    [*(("en", text) for text in (
        "$hit", "oh $hit, no", "sh!t", "$h!t", "b!tch", "d!ck move", "a$$", "@sshole", "fvck", "F.U.C.K", "f*ck",
        "f.u.k off", "stop!idiot",
     )),
     *(("tr", text) for text in (
        "a.m.k", "a-m-k ya", "a_m_k", "s.i.k", "s.i.k.", "s*ktir", "$iktir", "s!ktir git", "p!ç", "g.ö.t", "siktiiiir",
        "OROSPUUUU", "orospu cocugu", "o.r.o.s.p.u", "pezewenk", "yeter!siktir", "**siktir**",
     ))],
)  # fmt: skip
def test_letters_set_apart_and_signs_for_letters_hide_nothing(lang: str, text: str) -> None:
    """Dots between three letters, `$`, `@` and `!` for letters at any place, and what follows an exclamation mark."""
    assert score([text], lang).score[0] > 0.5


@pytest.mark.parametrize(
    ("lang", "text"),
    [*(("en", text) for text in (
        "my $hit = $result->next_hit;", "foreach my $hit (@hits) {", "f($hit, 1)", "echo $hits[0]", "@ssn = ();",
        "**f**", "version x.x.x", "x.x.x.x", "F.A.G. Kaya", "f.o.b. and c.i.f.", "U.S.A.", "a.s.s",
        "e.g. this, i.e. that", "Yahoo!is not a word", "!important", "x!=y", "x**2 and f**2", "$100", "C:\\$hitlist",
     )),
     *(("tr", text) for text in (
        "A.M.K. Ltd. Şti.", "S.İ.K. 5. madde", "s. i. k. listesi", "s.ı.k", "sik sik gelirdi", "a b c",
        "saat 10.30 a.m.", "T.B.M.M. ve D.S.İ.", "haydi!kim", "p*q", "M.K. Atatürk", "g.o.t dili",
     ))],
)  # fmt: skip
def test_initials_formulas_and_variables_are_innocent(lang: str, text: str) -> None:
    """Capitals with dots are initials, `$name` in a program is a variable, equal letters are a placeholder, and stars
    around a word are markup."""
    assert score([text], lang).matches[0] == 0


@pytest.mark.parametrize("unit", ["a!", "$a!", "s.", "f**", "a$", "si.", "moth-"])
def test_signs_without_end_are_read_twice_at_most(unit: str) -> None:
    """Each may be a letter of what follows: looked at anew from every sign, a megabyte would take an hour."""
    assert score([unit * 500_000]).matches[0] == 0


def test_length_weighs() -> None:
    """One strong word sinks a short text, not a long one; many sink a long one."""
    short, long, foul = "shit " + PROSE, "shit " + PROSE * 40, ("shit " + PROSE) * 40
    scores = score([short, long, foul]).score
    assert scores[0] > 0.5
    assert scores[1] < 0.5
    assert scores[2] > 0.5


def test_ambiguous_words_cannot_sink_a_long_text() -> None:
    """Whatever their number, words that say little alone never outweigh a text of forty words."""
    assert score(["kill attack murder bomb " * 30]).score[0] < 0.5


def test_severity_orders_the_score() -> None:
    """At equal length a severer word scores higher."""
    scores = score([f"{word} {PROSE}" for word in ("kill", "idiot", "shit", "nigger")])
    assert list(np.argsort(scores.score)) == [0, 1, 2, 3]
    assert [SEVERITIES[level] for level in scores.severity] == ["ambiguous", "mild", "strong", "severe"]


def test_a_phrase_replaces_its_words() -> None:
    """`kill signal` excuses `kill`; a phrase counts once, over one separator of any kind."""
    found = score(["kill signal", "kill", "white trash", "white-trash", "white. trash"])
    assert found.matches.tolist() == [0, 1, 1, 1, 1]
    assert [CATEGORIES[index] if index >= 0 else "" for index in found.category] == [
        "",
        "violence",
        "slur",
        "slur",
        "insult",
    ]


def test_languages_have_their_own_lists() -> None:
    """`got` is English; strong Turkish words are known in English text; an unknown language gets both lists."""
    assert score(["he got it"], "en").matches[0] == 0
    assert score(["siktir"], "en").severity[0] == 3
    assert score(["aptal", "idiot"], "de").severity.tolist() == [2, 2]


def test_every_pattern_matches_itself() -> None:
    """No line of the lists is dead: each accusing pattern is found, each innocent one is excused."""
    from importlib import resources

    for name in ("en", "tr"):
        text = resources.files("elek.toxicity").joinpath(f"{name}.tsv").read_text(encoding="utf-8")
        rows = [(line + "\t").split("\t") for line in text.splitlines() if line and not line.startswith("#")]
        patterns = [row[0] for row in rows]
        assert len(patterns) == len(set(patterns)), "a pattern stands twice"
        assert all(
            row[1] in ("innocent", *SEVERITIES[1:]) and (row[2] in CATEGORIES or row[1] == "innocent") for row in rows
        )
        # What begins with a dot is found with its letters set apart alone.
        stems = [pattern.lstrip("!").rstrip("+*") for pattern in patterns]
        stems = [".".join(stem[1:]) if stem.startswith(".") else stem for stem in stems]
        matches = score(stems, name).matches
        wrong = [
            stem for stem, row, count in zip(stems, rows, matches, strict=True) if (count > 0) == (row[1] == "innocent")
        ]
        assert wrong == []


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.text(max_size=30) | st.sampled_from(["fuck", "siktir", "*", "a", ".", "ı", "İ", "\u200b", "$", "0"]),
        max_size=20,
    )
)
def test_rows_do_not_depend_on_their_neighbours(texts: list[str]) -> None:
    """Any text is safe; a row scores the same alone, in a batch, in a slice, and scores lie in 0..1."""
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    array = pa.array(["fuck", *texts, "siktir"], pa.large_string()).slice(1, len(texts))
    together = score_texts(array, pa.array(["tr"] * len(texts), pa.string()))
    alone = [score([text], "tr") for text in texts]
    assert together.score.tolist() == [item.score[0] for item in alone]
    assert together.category.tolist() == [item.category[0] for item in alone]
    assert all(0 <= value <= 1 for value in together.score)


def test_the_automata_are_small() -> None:
    """The compiled lists stay within a few megabytes, or workers would pay for it."""
    assert sum(array.nbytes for array in load("und")) < 4e6
