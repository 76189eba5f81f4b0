"""Dead rules: those that are off, that can never fire, or that never did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from elek.explaining.standings import STAGE_RULES
from elek.explaining.survey import Survey
from elek.filtering import FilterParams, Rule, discover, rule


@dataclass(frozen=True)
class Dead:
    """A rule that does nothing, and why."""

    rule: str
    kind: Literal["off", "impossible", "not measured", "implied", "never"]
    why: str


def dead(found: Survey, params: FilterParams) -> list[Dead]:
    """Rules that are off, can never fire, or never did, in the order in which they are asked."""
    result: list[Dead] = []
    for name, section in params.root.items():
        own = discover()[name]
        limits = {item.name: _limits(getattr(section, item.name), own.zero_is_off) for item in own.rules}
        for item in own.rules:
            if f"{name}.{item.name}" in found.rules:
                result += _diagnose(f"{name}.{item.name}", item, limits, own.rules, found)
    for name, fails in zip(found.rules, found.failing, strict=True):
        if not fails and rule(name) is None:
            result.append(_never(name, found))
    return sorted(result, key=lambda item: found.rules.index(item.rule))


def dead_later(found: Mapping[str, Survey]) -> list[Dead]:
    """The same of `dedup` and `split`: rules that are off or never fired. `found` is by stage."""
    result: list[Dead] = []
    for stage, survey in found.items():
        fails = dict(zip(survey.rules, survey.failing.tolist(), strict=True))
        for name in STAGE_RULES[stage] if fails else ():  # a manifest without params does not say what was asked
            if not fails.get(name):
                result.append(_never(name, survey) if name in fails else _off(name))
    return result


def _off(name: str) -> Dead:
    return Dead(name, "off", "switched off")


def _never(name: str, found: Survey, how: str = "") -> Dead:
    return Dead(name, "never", f"none of {found.documents:,} documents fails it{how}")


Limits = Mapping[str, float | None]
"""Thresholds of a rule by language, `default` among them; None where it is off."""


def _limits(setting: Any, zero_is_off: bool) -> Limits:
    by_lang = setting if isinstance(setting, Mapping) else {"default": setting}
    return {lang: None if value is None or (zero_is_off and not value) else value for lang, value in by_lang.items()}


def _diagnose(
    label: str, item: Rule, limits: Mapping[str, Limits], rules: Sequence[Rule], found: Survey
) -> Iterator[Dead]:
    own, at = limits[item.name], found.rules.index(label)
    values = sorted({value for value in own.values() if value is not None})
    if not values:
        yield _off(label)
        return
    if not any(item.crosses(value) for value in values):
        low, high = item.range
        figures = ", ".join(f"{value:g}" for value in values)
        edge = f"never above {high:g}" if item.fails == "above" else f"never below {low:g}"
        yield Dead(label, "impossible", f"threshold {figures}, and `{item.signal}` is {edge}")
        return
    if not found.measured[at]:
        yield Dead(label, "not measured", f"`{item.signal}` has no value in any document for which the rule is on")
        return
    stricter = _stricter(item, own, limits, rules)
    if stricter:
        yield Dead(label, "implied", f"whoever fails it fails `{stricter}` too, which is as strict or stricter")
    elif not found.failing[at]:
        near = found.closest.get(label)
        how = f"; the closest is {near.value:.6g} against {near.threshold:.6g} ({near.id})" if near else ""
        yield _never(label, found, how)


def _stricter(item: Rule, own: Limits, limits: Mapping[str, Limits], rules: Sequence[Rule]) -> str | None:
    """A rule about the same signal on the same side that is stricter, or as strict and asked earlier, in every
    language in which `item` is on."""
    sign = 1 if item.fails == "above" else -1
    for other in rules:
        if other is item or (other.signal, other.fails) != (item.signal, item.fails):
            continue
        theirs = limits[other.name]
        pairs = [(own.get(lang, own["default"]), theirs.get(lang, theirs["default"])) for lang in {*own, *theirs}]
        on = [(mine, limit) for mine, limit in pairs if mine is not None]
        if all(limit is not None and sign * limit <= sign * mine for mine, limit in on):
            equal = all(limit == mine for mine, limit in on)
            if not equal or rules.index(other) < rules.index(item):
                return other.name
    return None
