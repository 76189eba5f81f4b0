"""Small made-up texts in English and Turkish that pass for prose: common words, varied sentences."""

from __future__ import annotations

import json
import random
from pathlib import Path

ENGLISH = {
    "who": "the farmer|an old teacher|her younger brother|the captain|a quiet student|the whole village|my neighbour|"
    "the doctor|one of the sailors|the librarian|a tired traveller|their mother",
    "did": "walked slowly along|had never forgotten|wanted to repair|was looking for|carefully measured|"
    "sold the last pieces of|remembered|painted|could not understand|had written about|kept|was afraid of",
    "what": "the narrow bridge|a letter from the city|that broken clock|the garden behind the school|"
    "seven wooden boxes|the road to the harbour|an empty house|the map of the island|those heavy books|"
    "the first train of the morning|a song about the river|the light of the tower",
    "when": "before the rain began|while the others were asleep|on the second day of spring|and nobody asked why|"
    "because it was late|with the help of a friend|that they have not seen since|to be sure of the way|"
    "when the market had closed|after the long winter|as it was said in the story|without a single word",
}
TURKISH = {
    "who": "yaşlı öğretmen|köyün çocukları|kardeşim|gemideki kaptan|yorgun bir yolcu|komşumuz|bizim doktor|"
    "kütüphanedeki kız|annesi|çarşıdaki usta|dağdaki çoban|genç ressam",
    "when": "yağmur başlamadan önce|sabahın ilk ışığında|uzun kıştan sonra|herkes uyurken|o gün akşama doğru|"
    "baharın ikinci günü|kimse sormadan|bir arkadaşıyla birlikte|pazar kapandığı için|daha çok küçükken|"
    "sessizce ve yavaşça|geçen yıl olduğu gibi",
    "what": "eski köprüyü|şehirden gelen mektubu|bozuk saati|okulun arkasındaki bahçeyi|yedi tahta kutuyu|"
    "limana giden yolu|boş evi|adanın haritasını|ağır kitapları|ırmağın türküsünü|kulenin ışığını|ekmeği ve tuzu",
    "did": "onarmak istedi|hiç unutmadı|aradı ama bulamadı|dikkatle ölçtü|bize anlattı|ne kadar da çok severdi|"
    "gördü ve gülümsedi|resmini yaptı|anlamadı|yazmaya başladı|sakladı|her zaman özledi",
}


def sentence(lang: str, rng: random.Random) -> str:
    """One sentence in the word order of its language."""
    words = {slot: rng.choice(choices.split("|")) for slot, choices in (ENGLISH if lang == "en" else TURKISH).items()}
    order = ("who", "did", "what", "when") if lang == "en" else ("who", "when", "what", "did")
    text = " ".join(words[slot] for slot in order)
    first = "İ" if lang == "tr" and text[0] == "i" else text[0].upper()
    return first + text[1:] + "."


def document(lang: str, seed: int, sentences: int = 14) -> str:
    """Paragraphs of a few sentences."""
    rng = random.Random(f"{lang}-{seed}")  # noqa: S311 - made-up text needs no secret
    lines = [" ".join(sentence(lang, rng) for _ in range(4)) for _ in range(max(1, sentences // 4))]
    return "\n\n".join(lines)


def write_jsonl(path: Path, lang: str, count: int, first: int = 0, sentences: int = 14) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for seed in range(first, first + count):
            row = {"id": f"{lang}-{seed}", "text": document(lang, seed, sentences)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
