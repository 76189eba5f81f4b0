"""Dead rules: those that are off, that can never fire, or that never did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from elek.explaining.standings import STAGE_RULES
from elek.explaining.survey import Survey
from elek.filtering import FilterParams, Rule, discover, rule


@dataclass(frozen=True)
class DeadRule:
    """A rule that does nothing, and why."""

    rule: str
    kind: Literal["off", "impossible", "not measured", "implied", "never"]
    why: str


def dead_rules(found: Survey, params: FilterParams) -> list[DeadRule]:
    """Rules of `filter` that are off, can never fire, or never did, in the order in which they are applied."""
    result: list[DeadRule] = []
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


def dead_stage_rules(found: Mapping[str, Survey]) -> list[DeadRule]:
    """Rules of `dedup` and `split` that are off or never fired. `found` has the survey of each stage."""
    result: list[DeadRule] = []
    for stage, survey in found.items():
        fails = dict(zip(survey.rules, survey.failing.tolist(), strict=True))
        for name in STAGE_RULES[stage] if fails else ():  # a manifest without params does not say which rules were on
            if not fails.get(name):
                result.append(_never(name, survey) if name in fails else _off(name))
    return result


def _off(name: str) -> DeadRule:
    return DeadRule(name, "off", "switched off")


def _never(name: str, found: Survey, how: str = "") -> DeadRule:
    return DeadRule(name, "never", f"none of {found.documents:,} documents fails it{how}")


Limits = Mapping[str, float | None]
"""Thresholds of a rule by language, `default` among them; None where it is off."""


def _limits(setting: Any, zero_is_off: bool) -> Limits:
    by_lang = setting if isinstance(setting, Mapping) else {"default": setting}
    return {lang: None if value is None or (zero_is_off and not value) else value for lang, value in by_lang.items()}


def _diagnose(
    label: str, item: Rule, limits: Mapping[str, Limits], rules: Sequence[Rule], found: Survey
) -> Iterator[DeadRule]:
    own, at = limits[item.name], found.rules.index(label)
    values = sorted({value for value in own.values() if value is not None})
    if not values:
        yield _off(label)
        return
    if not any(item.crosses(value) for value in values):
        low, high = item.range
        figures = ", ".join(f"{value:g}" for value in values)
        edge = f"never above {high:g}" if item.fails == "above" else f"never below {low:g}"
        yield DeadRule(label, "impossible", f"threshold {figures}, and `{item.signal}` is {edge}")
        return
    if not found.measured[at]:
        yield DeadRule(label, "not measured", f"`{item.signal}` has no value in any document for which the rule is on")
        return
    stricter = _stricter(item, own, limits, rules)
    if stricter:
        yield DeadRule(label, "implied", f"whoever fails it fails `{stricter}` too, which is as strict or stricter")
    elif not found.failing[at]:
        near = found.closest.get(label)
        how = f"; the closest is {near.value:.6g} against {near.threshold:.6g} ({near.id})" if near else ""
        yield _never(label, found, how)


def _stricter(item: Rule, own: Limits, limits: Mapping[str, Limits], rules: Sequence[Rule]) -> str | None:
    """The name of a rule that makes `item` superfluous, or None.

    It compares the same signal on the same side, and is stricter, or equally strict and applied earlier, in every
    language in which `item` is on.
    """
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
