"""What is asked of a curation: sections of params, and what stands in for what documents do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from elek import presets
from elek.curation.cutting import UTF_8, options
from elek.dedup.params import DedupParams
from elek.errors import ParamsError, did_you_mean
from elek.filtering import UNDETERMINED, FilterParams, WordKind
from elek.filtering.annotation import AnnotateParams
from elek.licences.spdx import NOASSERTION, normalise
from elek.params import parse, read, validate
from elek.sources.params import Encodings
from elek.text.cleaning import CleanParams

DEFAULT = Path(__file__).with_name("default.yaml")
SKIPPABLE = ("clean", "filter", "dedup")


@dataclass(frozen=True)
class Settings:
    """Everything on which the output depends, beside the input."""

    clean: CleanParams
    annotate: AnnotateParams
    filter: FilterParams
    dedup: DedupParams
    preset: str | None = None
    skip: tuple[str, ...] = ()
    license: str = NOASSERTION
    """Of documents that declare none."""
    lang: str = UNDETERMINED
    """Of documents that declare none."""
    encodings: Encodings = UTF_8
    """Of files without a byte order mark, tried in this order."""

    def plain(self) -> dict[str, Any]:
        """As plain data: the classes of the filters' params are made at run time and cannot be pickled."""
        sections = {name: getattr(self, name).model_dump(mode="json") for name in _SECTIONS}
        return {
            **sections,
            "preset": self.preset,
            "skip": list(self.skip),
            "license": self.license,
            "lang": self.lang,
            "encodings": list(self.encodings),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Settings:
        """The settings that `plain` gave."""
        sections = {name: parse(name, plain[name], kind, "manifest.json") for name, kind in _SECTIONS.items()}
        return cls(
            **sections,
            preset=plain["preset"],
            skip=tuple(plain["skip"]),
            license=plain["license"],
            lang=plain["lang"],
            encodings=tuple(plain["encodings"]),
        )


_SECTIONS: Mapping[str, Any] = {
    "clean": CleanParams,
    "annotate": AnnotateParams,
    "filter": FilterParams,
    "dedup": DedupParams,
}


def settings(
    *,
    preset: str | None = None,
    params: Path | None = None,
    words: str | None = None,
    skip: Sequence[str] = (),
    license: str | None = None,
    lang: str | None = None,
    encodings: Sequence[str] = UTF_8,
) -> Settings:
    """Put together what is asked for.

    `params` is a file with sections of params.yaml (others than ours are checked and not used), by default
    `default.yaml` beside this module. A preset takes the place of its filters and of their settings. Raises
    ParamsError that names what is wrong and the nearest valid name.
    """
    raw = read(params or DEFAULT)
    where = (params or DEFAULT).name
    if params is not None:  # ours is right: a test holds it, and validating imports the params of every stage
        validate(raw, where)
    raw = {name: dict(raw.get(name) or {}) for name in _SECTIONS}
    if preset is not None:
        chosen = presets.load(preset)
        raw["annotate"] = raw["annotate"] | chosen.get("annotate", {})
        raw["filter"] = chosen["filter"]
    for stage in skip:
        if stage not in SKIPPABLE:
            raise ParamsError(
                f"there is no stage `{stage}` to skip", where="--skip", fix=did_you_mean(stage, SKIPPABLE)
            )
    if "filter" in skip:
        raw["filter"] = {}
    if words is not None:
        if words not in get_args(WordKind):
            fix = did_you_mean(words, get_args(WordKind))
            raise ParamsError(f"there are no words of the kind `{words}`", where="--words", fix=fix)
        raw["annotate"]["words"] = words
    code = _language(lang)
    if code and preset is None and params is None and "language" in raw["filter"]:
        # Whoever says that the text is in a language wants text in it.
        own = raw["filter"]["language"]
        raw["filter"]["language"] = {**own, "allow": sorted({*own["allow"], code})}
    return Settings(
        **{name: parse(name, raw[name], kind, where) for name, kind in _SECTIONS.items()},
        preset=preset,
        skip=tuple(sorted(set(skip))),
        license=normalise(license, "--license") if license else NOASSERTION,
        lang=code or UNDETERMINED,
        encodings=_encodings(encodings),
    )


def _encodings(names: Sequence[str]) -> Encodings:
    try:
        return options(tuple(names)).encodings
    except ValidationError as error:
        what = f"{error.errors()[0]['msg'].removeprefix('Value error, ')} (given: {','.join(names)!r})"
        fix = "old Turkish files are in windows-1254 or iso-8859-9"
        raise ParamsError(what, where="--encoding", fix=fix) from None


def _language(code: str | None) -> str | None:
    if code is None:
        return None
    if not (code.isascii() and code.isalpha() and code.islower() and len(code) in (2, 3)):
        raise ParamsError(f"`{code}` is no language code", where="--lang", fix="write it as ISO 639 does: en, tr, crh")
    return code
