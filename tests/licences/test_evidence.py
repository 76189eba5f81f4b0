"""Licence evidence inside documents: found where it is, and held against a document only in its own voice."""

from __future__ import annotations

import json
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elek.licences.evidence import contradicts, find, find_in, opted_out
from elek.licences.finding import family
from elek.licences.links import stated
from elek.licences.summaries import summary

PROSE = "The harbour was quiet that morning and the boats lay still upon the water. " * 60
GPL_NOTICE = (
    "This manual is free documentation; you can redistribute it and/or modify it under the terms of the GNU General\n"
    "# Public License as published by the Free Software Foundation; either version 2 of the License, or (at your\n"
    "# option) any later version.\n"
)


@pytest.mark.parametrize(
    ("text", "licence", "kind"),
    [
        ("# SPDX-License-Identifier: GPL-2.0+\n", "GPL-2.0-or-later", "tag"),
        ("/* SPDX-License-Identifier: MIT OR Apache-2.0 */", "MIT OR Apache-2.0", "tag"),
        ("<!-- SPDX-License-Identifier: CC-BY-4.0 -->", "CC-BY-4.0", "tag"),
        ("// SPDX-License-Identifier: (MIT OR Apache-2.0)\r\n", "MIT OR Apache-2.0", "tag"),
        (
            "/* spdx-license-identifier: GPL-2.0 WITH Linux-syscall-note */",
            "GPL-2.0-only WITH Linux-syscall-note",
            "tag",
        ),
        ("<!--SPDX-License-Identifier: CC-BY-4.0-->", "CC-BY-4.0", "tag"),
        ('"SPDX-License-Identifier": "MIT"', "MIT", "tag"),
        ("# SPDX-License-Identifier: LicenseRef-My-Own", "LicenseRef-My-Own", "tag"),
        ("https://licensebuttons.net/l/by-nc/4.0/88x31.png", "CC-BY-NC-4.0", "link"),
        ("http://creativecommons.org/licenses/by-nd-nc/1.0/", "CC-BY-NC-ND-1.0", "link"),
        ("http://creativecommons.org/licenses/by-sa/3.0/tr/", "CC-BY-SA-3.0", "link"),
        ("Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0", "name"),
        ("Creative Commons Attribution-Noncommercial-Share Alike 3.0 License", "CC-BY-NC-SA-3.0", "name"),
        ("Creative Commons Attribution–ShareAlike 4.0", "CC-BY-SA-4.0", "name"),
        ("Creative Commons BY-SA 4.0", "CC-BY-SA-4.0", "name"),
        ("CC BY NC SA v4.0", "CC-BY-NC-SA-4.0", "name"),
        ("Creative Commons Alıntı-Gayriticari-Türetilemez 4.0 Uluslararası Lisansı", "CC-BY-NC-ND-4.0", "name"),
        ("Creative Commons Atıf-Benzer Paylaşım 3.0", "CC-BY-SA-3.0", "name"),
        ("---\nlicense:\n- mit\n---\n", "MIT", "name"),
        ('license = { text = "Apache-2.0" }', "Apache-2.0", "name"),
        ("<licenses>\n  <license>\n    <name>MIT License</name>", "MIT", "name"),
        ("GNU Genel Kamu Lisansı, sürüm 3 ya da daha sonraki bir sürüm", "GPL-3.0-or-later", "notice"),
        ("Bu yazılım MIT lisansı ile dağıtılır.", "MIT", "notice"),
        ("TÜM HAKLARI SAKLIDIR", "LicenseRef-AllRightsReserved", "rights"),
        ("İzinsiz çoğaltılamaz.", "LicenseRef-AllRightsReserved", "rights"),
        ("Bu kitap yayıncının yazılı izni olmadan çoğaltılamaz.", "LicenseRef-AllRightsReserved", "rights"),
        ("see https://creativecommons.org/licenses/by-sa/4.0/deed.tr for it", "CC-BY-SA-4.0", "link"),
        ("http://creativecommons.org/licenses/by-nc-nd/3.0/de/", "CC-BY-NC-ND-3.0-DE", "link"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0", "link"),
        ("Creative Commons Attribution-ShareAlike 3.0 Unported License", "CC-BY-SA-3.0", "name"),
        ("licensed under CC BY-NC 4.0", "CC-BY-NC-4.0", "name"),
        (GPL_NOTICE, "GPL-2.0-or-later", "notice"),
        (GPL_NOTICE.replace("General", "Lesser General").replace("2 of", "3 of"), "LGPL-3.0-or-later", "notice"),
        ("Licensed under the Apache License, Version 2.0", "Apache-2.0", "notice"),
        ("Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT", "notice"),
        ("Redistribution and use in source and binary forms are permitted", "BSD-2-Clause", "notice"),
        ("subject to the terms of the Mozilla Public License, v. 2.0", "MPL-2.0", "notice"),
        ("You may use this under the same terms as Perl itself.", "Artistic-1.0-Perl OR GPL-1.0-or-later", "notice"),
        ("This is free and unencumbered software released into the public domain.", "Unlicense", "notice"),
        ("under the terms of the GNU Free Documentation License, Version 1.3 only", "GFDL-1.3-only", "notice"),
        ("Tüm hakları saklıdır.", "LicenseRef-AllRightsReserved", "rights"),
        ("No part of this book may be reproduced in any form", "LicenseRef-AllRightsReserved", "rights"),
        ('<meta name="tdm-reservation" content="1">', "NOASSERTION", "opt-out"),
        ("License: GPLv3+", "GPL-3.0-or-later", "name"),
        ("Licence: GPL-2+\nCopyright: 2020", "GPL-2.0-or-later", "name"),
        ("# License: Apache 2.0 (see LICENSE)", "Apache-2.0", "name"),
        ("**License:** LGPLv2.1", "LGPL-2.1-only", "name"),
        ("Lisans: CC BY-SA 4.0", "CC-BY-SA-4.0", "name"),
        ('license = "BSD-3-Clause"', "BSD-3-Clause", "name"),
        ('  "license": "GPL-2.0-or-later",', "GPL-2.0-or-later", "name"),
        ("License: MIT OR Apache-2.0", "MIT OR Apache-2.0", "name"),
        ("Classifier: x\nLicense :: OSI Approved :: MIT License\n", "MIT", "name"),
        (
            "License :: OSI Approved :: GNU Lesser General Public License v3 or later (LGPLv3+)",
            "LGPL-3.0-or-later",
            "name",
        ),
        ("License :: OSI Approved :: Apache Software License", "Apache-2.0", "name"),
        ("License :: Other/Proprietary License", "LicenseRef-AllRightsReserved", "name"),
        (f"{PROSE}\nMIT © Ayşe Yılmaz\n", "MIT", "name"),
        (f"{PROSE}\n## License\n\nISC\n", "ISC", "name"),
        ("License\n=======\n\nBSD 3-Clause\n", "BSD-3-Clause", "name"),
        ("The licence is GPL-2.0-or-later.", "GPL-2.0-or-later", "name"),
        ("an Apache-2.0 licensed tool", "Apache-2.0", "name"),
        ("Copyright 2020 X. Licensed under MIT.", "MIT", "notice"),
        ("Licensed under Apache 2.0", "Apache-2.0", "notice"),
        ("All rights reserved.", "LicenseRef-AllRightsReserved", "rights"),
        ("available under the Creative Commons Attribution-ShareAlike License", "CC-BY-SA-4.0", "name"),
        ("Metin Creative Commons Atıf-GayriTicari-AynıLisanslaPaylaş 3.0 altındadır.", "CC-BY-NC-SA-3.0", "name"),
    ],
)
def test_what_is_found(text: str, licence: str, kind: str) -> None:
    """Tags, links, names, notices, reserved rights and opt-outs are found with their SPDX identifier."""
    [found] = find(pa.array([text], pa.large_string()))
    assert (licence, kind) in [(item.licence, item.kind) for item in found]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The driving licence was in his pocket, and the permission to leave on the table.",
        "License: see below\nLicense: None\nlicense: string\nLicense: what you may do\nlisans: öğrencisi",
        "Under licensed mitigation and © Intel 2020; python © 2001; the licence plate of GL-2000; licence to MI-6",
        "License:\n\n    License: GPLv3\n",
        "## Licensing\n\nWe talk of MIT.\n## License\n\nThe word has two spellings.",
        "SPDX-License-Identifier: is written at the head of a file",
        "https://creativecommons.org/about and https://creativecommons.org/licenses/",
        "Of others: https://notcreativecommons.org/licenses/by/4.0/, my-creativecommons.org/licenses/by/4.0/",
        "He took out a licence for the dog. The warranty had expired.",
        "Attribution 1.0 is the first release of this plug-in.",
    ],
)
def test_mere_words_are_no_evidence(text: str) -> None:
    """Talking of licences, warranties and permission is not a licence."""
    assert find_in(text) == []


@pytest.mark.parametrize(
    ("value", "licence"),
    [
        ("https://creativecommons.org/licenses/by-sa/3.0/de/", "CC-BY-SA-3.0-DE"),
        ("//CreativeCommons.org/licenses/by-sa/4.0/deed.tr", "CC-BY-SA-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://www.gnu.org/licenses/fdl-1.3.html", "GFDL-1.3-only"),
        ("http://www.gnu.org/licenses/old-licenses/gpl-2.0.txt", "GPL-2.0-only"),
        ("https://gnu.org/licenses/agpl-3.0.en.html", "AGPL-3.0-only"),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("https://opensource.org/license/bsd-3-clause/", "BSD-3-Clause"),
        ("https://spdx.org/licenses/Apache-2.0.html", "Apache-2.0"),
        ("https://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
        ("https://opendatacommons.org/licenses/by/1-0/", "ODC-By-1.0"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("mit", "MIT"),
        ("https://example.org/licenses/MIT", "NOASSERTION"),
        ("https://www.gnu.org/licenses/gpl.html", "NOASSERTION"),
        ("/terms", "NOASSERTION"),
        ("", "NOASSERTION"),
        ("(" * 400, "NOASSERTION"),
    ],
)
def test_what_a_link_states(value: str, licence: str) -> None:
    """Addresses of licences by their hosts, identifiers as they are; whatever else is not known."""
    assert stated(value) == licence


def test_spans_are_in_characters() -> None:
    """start and end cut the evidence out of the text, letters of two bytes before it or not."""
    text = "Çığlık İŞÇİ ğüşöç… " * 20 + "SPDX-License-Identifier: MIT\n"
    [found] = find_in(text)
    assert text[found.start : found.end].strip() == "SPDX-License-Identifier: MIT"


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        (GPL_NOTICE + PROSE, "BSD-3-Clause", True),
        (PROSE + GPL_NOTICE, "CC0-1.0", True),
        ("<!-- SPDX-License-Identifier: GPL-3.0-only\n-->" + PROSE, "MIT", True),
        ("# SPDX-License-Identifier: GPL-3.0-only\n" + PROSE, "MIT", True),
        ("This work is licensed under CC BY-NC 4.0.\n" + PROSE, "CC-BY-4.0", True),
        ("© 2020 Some House. All rights reserved.\n" + PROSE, "CC0-1.0", True),
        (PROSE + "\nAll rights reserved. © 2020 Some House", "CC0-1.0", True),
        (PROSE + "\nTüm hakları saklıdır. © 2020 Bir Yayınevi", "CC0-1.0", True),
        (PROSE + "\nThe line 'All rights reserved' means little. © is a sign.", "CC0-1.0", False),
        # the same family, something freer, a choice that holds it, a stricter declaration
        (GPL_NOTICE + PROSE, "GPL-3.0-only", False),
        ("# SPDX-License-Identifier: MIT\n" + PROSE, "GPL-3.0-only", False),
        (GPL_NOTICE + PROSE, "MIT OR GPL-2.0-or-later", False),
        (GPL_NOTICE + PROSE, "CC-BY-NC-4.0", False),
        # talk about licences, in the middle or about something else
        (PROSE + GPL_NOTICE + PROSE, "BSD-3-Clause", False),
        ("The Linux kernel is distributed under the terms of the GNU General Public License.\n" + PROSE, "MIT", False),
        ("Write `SPDX-License-Identifier: GPL-3.0-only` at the head of each file.\n" + PROSE, "MIT", False),
        (PROSE + "© 2020 Some House. All rights reserved.\n" + PROSE, "CC0-1.0", False),
        # reserved rights beside a grant are the usual head of a notice
        ("Copyright (c) A. Writer. All rights reserved. Redistribution and use in source and binary forms, with or"
         " without modification, are permitted\n" + PROSE, "BSD-3-Clause", False),
        # what is declared is unknown: another rule's affair
        (GPL_NOTICE + PROSE, "LicenseRef-Mine", False),
        (GPL_NOTICE + PROSE, "no licence", False),
    ],
)  # fmt: skip
def test_contradiction(text: str, declared: str, expected: bool) -> None:
    """Only what a document says of itself, at its edge, stricter than and foreign to its declared licence."""
    assert contradicts(find_in(text), declared) is expected


def test_a_page_that_prints_a_licence_is_not_under_it() -> None:
    """A licence's own text holds the words by which others apply it; that is a text, not a notice of the page."""
    text = "GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007\n" + PROSE + GPL_NOTICE
    found = find_in(text)
    assert found[0].kind == "text"
    assert not contradicts(found, "MIT")


def test_summary_is_json_without_quotations() -> None:
    """The column holds families, kinds, spans and confidences, nothing of the text, and nothing where none is."""
    assert summary([]) == ""
    [item, *_] = json.loads(summary(find_in(GPL_NOTICE)))
    assert item["family"] == "GPL"
    assert item["category"] == "copyleft"
    assert 0.5 <= item["confidence"] <= 1
    assert "redistribute" not in summary(find_in(GPL_NOTICE))


def test_families() -> None:
    """A family is an identifier without its version."""
    assert family("LGPL-2.1-or-later") == "LGPL"
    assert family("CC-BY-SA-3.0-DE") == "CC-BY-SA"
    assert family("BSD-3-Clause") == "BSD"
    assert family("MIT OR Apache-2.0") == "MIT OR Apache"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(max_size=40) | st.sampled_from([GPL_NOTICE, "© ", "licence ", "\x00", "İ"]), max_size=8))
def test_any_text_is_safe_and_spans_lie_inside(parts: list[str]) -> None:
    """Whatever the text: no error, spans within it, the same answer alone and in a column."""
    text = "".join(parts).encode("utf-8", "ignore").decode()
    alone = find_in(text)
    assert all(0 <= item.start <= item.end <= len(text) for item in alone)
    together = find(pa.array(["", text, "x"], pa.large_string()))
    assert together[1] in (alone, [])


@pytest.mark.parametrize(
    "unit", ["licence ", "copyright ", "_", "placed ", "spdx-license-identifier: mit or ", "© ", "gpl_"]
)
def test_no_text_makes_the_search_quadratic(unit: str) -> None:
    """Ten times the text takes nowhere near a hundred times as long."""
    text = unit * (30_000 // len(unit))
    start = time.process_time()
    find_in(text)
    small = time.process_time() - start
    start = time.process_time()
    find_in(text * 10)
    assert time.process_time() - start < 40 * small + 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("under the terms of *either* of the licenses\nfound in LICENSE.APACHE or LICENSE.BSD.", {"Apache", "BSD"}),
        ("available under either of the licenses found in LICENSE.APACHE2 or LICENSE.MIT.", {"Apache", "MIT"}),
        ("This software is subject to the provisions of the Zope Public License, Version 2.1 (ZPL).", {"ZPL"}),
    ],
)
def test_a_pointer_to_licence_files_names_them(text: str, expected: set[str]) -> None:
    """Packages under a choice of licences say so in a file that only points to the texts."""
    assert {family(item.licence) for item in find_in(text)} == expected


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ('<meta name="tdm-reservation" content="1">\n' + PROSE, True),
        ("X-Robots-Tag: noai, noimageai\n" + PROSE, True),
        ("User-agent: GPTBot\nDisallow: /\n", True),
        ("User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n", True),
        ("User-agent: GPTBot\nDisallow: /private/\n", False),
        ("User-agent: PerplexityBot\nDisallow: /\n", True),
        ("User-agent: cohere-ai\nUser-agent: Amazonbot\nDisallow: /\n", True),
        ("User-agent: Googlebot\nDisallow: /\n", False),
        ("User-agent: *\nDisallow: /\n", False),
        ("tdm-reservation: 0\n" + PROSE, False),
        ('<meta content="1" name="tdm-reservation"/>\n' + PROSE, True),
        ("User-agent: GPTBot # OpenAI\n# no training\nDisallow: /*\n", True),
        ("User-agent: GPTBot\nDisallow: /a/\nDisallow: /\n", True),
        ("User-agent: GPTBot\nDisallow: /a/\n\nUser-agent: *\nDisallow: /\n", False),
        ("User-agent: GPTBot\nDisallow: /a/\nUser-agent: *\nDisallow: /\n", False),
        ("Content-Signal: search=yes, ai-train=no\n" + PROSE, True),
        ("Content-Signal: ai-train=yes\n" + PROSE, False),
        (PROSE + "© 2024 The Press. This text may not be used to train AI models.", True),
        ("No part of this book may be used for the purpose of training artificial intelligence.\n" + PROSE, True),
        (PROSE + "© 2024 The Press. All rights are reserved, also those for text and data mining.", True),
        (PROSE + "No part of this book may be used for AI training; such use is prohibited.", True),
        (PROSE + "Bu metin yapay zekâ modellerinin eğitiminde kullanılamaz.", True),
        (PROSE + "© Yayınevi. Metin ve veri madenciliği dahil bütün hakları saklıdır.", True),
        (PROSE + "Courts ask whether text and data mining is prohibited. " + PROSE, False),
        ("Text and data mining is often prohibited, and scholars object. " + PROSE, False),
    ],
)
def test_reservations_against_mining(text: str, own: bool) -> None:
    """Machine-readable marks and publishers' sentences count where a document speaks of itself; discussion does not."""
    assert opted_out(find_in(text)) is own
    assert opted_out(find(pa.array([text], pa.large_string()))[0]) is own
