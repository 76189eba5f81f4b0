"""Deduplication: exact by a hash of the normalised text, near by MinHash-LSH with verified Jaccard.

params        the knobs
normalise     what two texts are compared by: words in folded case, without marks and punctuation; their hashes
signatures    the exact hash and the MinHash signature of a document, which `annotate` stores
lsh           pairs of documents that are probably similar, from signatures alone
verification  the Jaccard similarity of such pairs, measured on their text
known         such similarities, stored by content
urls          which URLs lead to one page
boilerplate   lines and paragraphs that many documents of a source have
passages      runs of words that several documents have, for decontamination
ranking       the documents in the order in which they survive
decisions     who survives, who is dropped for whom, and who is related: what the stage `dedup` asks
kernels       the compiled half
sorting       hashes sorted in files
mixing        numbers that look drawn
"""
