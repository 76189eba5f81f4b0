"""Presets: data that validates, and decides what its source says."""

from __future__ import annotations

from typing import Any

import pytest

from elek import presets
from elek.errors import ParamsError
from elek.filtering import FilterParams, FilterSettings, discover
from elek.filtering.annotation import AnnotateParams
from elek.params import parse
from tests.filters.gopher import failing

RULES = {
    "gopher": ["gopher_quality", "gopher_repetition"],
    "c4": ["c4"],
    "fineweb": ["fineweb"],
    "fineweb2-turkish": ["fineweb", "gopher_quality", "gopher_repetition"],
}


def sections(name: str) -> dict[str, Any]:
    """The thresholds of each filter that the preset names."""
    params = parse("filter", presets.load(name)["filter"], FilterParams)
    return {found: section.model_dump() for found, section in params.root.items()}


def test_the_presets_are_these() -> None:
    """One file each."""
    assert presets.names() == sorted(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_preset_validates_and_names_its_filters_alone(name: str) -> None:
    """Its sections are sections of params.yaml, and nothing decides but its own rules."""
    raw = presets.load(name)
    assert set(raw) == {"annotate", "filter"}
    parse("annotate", raw["annotate"], AnnotateParams)
    assert sorted(sections(name)) == RULES[name]


@pytest.mark.parametrize("name", RULES)
def test_a_preset_spells_every_rule_out(name: str) -> None:
    """Nothing is left to a default that might change, or differ by language."""
    for found, thresholds in presets.load(name)["filter"].items():
        assert set(thresholds) == set(discover()[found].params_class().model_fields)
        assert not any(isinstance(value, dict) for value in thresholds.values())


@pytest.mark.parametrize("name", ["gopher", "c4", "fineweb"])
def test_the_figures_are_the_defaults_without_turkish(name: str) -> None:
    """What the rules cite for all languages is what the preset says for all of them."""
    for found, thresholds in sections(name).items():
        for rule in discover()[found].rules:
            default = rule.default["default"] if isinstance(rule.default, dict) else rule.default
            assert thresholds[rule.name] == default, rule.name


def test_the_turkish_figures_are_the_defaults_for_turkish() -> None:
    """The same figures as those by which the rules judge Turkish text by default."""
    for found, thresholds in sections("fineweb2-turkish").items():
        for rule in discover()[found].rules:
            default = rule.default["tr"] if isinstance(rule.default, dict) else rule.default
            assert thresholds[rule.name] == default, rule.name


def test_gopher_judges_every_language_by_the_paper() -> None:
    """The paper's stop words and lengths, whatever the language: Turkish prose fails them."""
    raw = presets.load("gopher")
    quality = FilterSettings(dict(raw["annotate"]["settings"])).filters()["gopher_quality"]
    params = quality.params_class().model_validate(raw["filter"]["gopher_quality"])
    text = "Cumhuriyetimizin kuruluşundan milletimizin yükseltilmesi için çalışıyoruz ve çalışacağız. " * 7
    for lang in ("en", "tr", "de"):
        assert failing(quality, text, lang, params) == ["max_mean_word_length", "min_stop_words"]


def test_the_turkish_stop_words_are_ours() -> None:
    """The same list as that of the default settings, for whatever the text is taken for."""
    settings = presets.load("fineweb2-turkish")["annotate"]["settings"]
    default = discover()["gopher_quality"].settings_class().model_dump()["stop_words"]["tr"]
    assert tuple(settings["gopher_quality"]["stop_words"]["default"]) == default


def test_an_unknown_preset_is_told() -> None:
    """The nearest name."""
    with pytest.raises(ParamsError, match="no preset `gofer`") as caught:
        presets.load("gofer")
    assert "gopher" in str(caught.value.fix)
