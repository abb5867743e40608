#!/usr/bin/env python3
"""Lists the sentences of RFC 6455 that hold a keyword of RFC 2119, without their prose.

    python3 tests/rfc6455-sentences.py rfc6455.txt > tests/rfc6455-sentences.txt
    python3 tests/rfc6455-sentences.py rfc6455.txt | diff - tests/rfc6455-sentences.txt     # nothing has changed
    python3 tests/rfc6455-sentences.py --text rfc6455.txt     # the same with the sentences, to read

The argument is the RFC's plain text: https://www.rfc-editor.org/rfc/rfc6455.txt. Each line of the list names one
sentence:

    s5.2-3  5.2  MUST  7bbc00a8843f5e7d

its id (the third such sentence of section 5.2), its section, its keywords in their order, and the FNV-1a hash
(64 bits) of the sentence with page breaks taken out and every white space folded into one space. Who has the RFC
can make the list again and compare; `tests/rfc_table.rs` holds `docs/rfc6455.md` to it.

What a sentence is: text up to a full stop, question mark or exclamation mark that ends a line or has two spaces
behind it, or up to the end of its paragraph. A list's item is a paragraph, a grammar's rule with its comments too.
"""

import re
import sys

KEYWORD = re.compile(
    r"\b(?:MUST NOT|MUST|SHALL NOT|SHALL|SHOULD NOT|SHOULD|REQUIRED|NOT RECOMMENDED|RECOMMENDED|MAY|OPTIONAL)\b"
)
PAGE_BREAK = re.compile(r"\n*Fette & Melnikov .*\[Page \d+\]\n\f?\n*RFC 6455 .* December 2011\n+")
HEADING = re.compile(r"(\d+(?:\.\d+)*)\.  ?\S.*")
ITEM = re.compile(r"\s*(?:o|\*|\d+\.)\s+")
SENTENCE_END = re.compile(r"(?:(?<=[.?!])|(?<=[.?!][)\"]))(?:  +|\n\s*)")


def without_page_breaks(text):
    """A paragraph that a page break cuts goes on after it; one that ended before it has ended."""

    def joint(match):
        ended = match.string[: match.start()].rstrip()[-1:] in ".:;?!)"
        return "\n\n" if ended else "\n"

    return PAGE_BREAK.sub(joint, text)


def paragraphs(text):
    """The paragraphs of the body, each with its section."""
    section = None
    for paragraph in re.split(r"\n\s*\n", text):
        heading = HEADING.fullmatch(paragraph.strip("\n"))
        if heading:
            section = heading.group(1)
        elif section:
            yield section, ITEM.sub("", paragraph, count=1) if ITEM.match(paragraph) else paragraph


def sentences(text):
    """Every sentence with a keyword, with its section; white space folded."""
    for section, paragraph in paragraphs(without_page_breaks(text)):
        for sentence in SENTENCE_END.split(paragraph):
            folded = " ".join(sentence.split())
            if KEYWORD.search(folded):
                yield section, folded


def fnv1a_64(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def main(arguments):
    with_text = "--text" in arguments
    (path,) = [it for it in arguments if it != "--text"]
    with open(path, encoding="utf-8") as file:
        text = file.read()
    print("# The sentences of RFC 6455 with a keyword: id, section, keywords, hash. Made by rfc6455-sentences.py.")
    count = {}
    for section, sentence in sentences(text):
        count[section] = count.get(section, 0) + 1
        keywords = ",".join(" ".join(it.split()) for it in KEYWORD.findall(sentence))
        fields = [f"s{section}-{count[section]}", section, keywords, f"{fnv1a_64(sentence.encode()):016x}"]
        print("  ".join(fields + [sentence] if with_text else fields))


if __name__ == "__main__":
    main(sys.argv[1:])
