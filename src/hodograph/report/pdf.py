"""The information of a PDF file: its title and its subject."""

import re

_END = re.compile(
    rb"trailer\s*<<(?P<entries>[^>]*?)/Info (?P<object>\d+) 0 R\s*>>\s*"
    rb"startxref\s*(?P<table>\d+)\s*%%EOF\s*$"
)


def with_information(pdf: bytes, title: str, subject: str) -> bytes:
    """Return the PDF with another information dictionary, appended as ISO 32000-1 7.5.6 says.

    Args:
        pdf: Ends in a cross-reference table whose trailer ends in /Info, as vl-convert writes it.
        title: What readers show as the name of the document.
        subject: What it shows, and how it was made.
    """
    end = _END.search(pdf)
    if end is None:
        raise ValueError("the PDF does not end in a trailer with /Info")
    number = int(end["object"])
    said = f"/Title {_text(title)} /Subject {_text(subject)} /Producer (svg2pdf)"
    added = f"\n{number} 0 obj\n<< {said} >>\nendobj\n"
    table = f"xref\n{number} 1\n{len(pdf) + 1:010} 00000 n\r\n"
    trailer = f"/Info {number} 0 R /Prev {int(end['table'])} >>"
    begin = len(pdf) + len(added)
    return b"".join((
        pdf, added.encode(), table.encode(), b"trailer\n<<", end["entries"], trailer.encode(),
        f"\nstartxref\n{begin}\n%%EOF\n".encode(),
    ))  # fmt: skip


def _text(text: str) -> str:
    """A text string in UTF-16, in hexadecimal digits."""
    digits = f"\ufeff{text}".encode("utf-16-be").hex()
    return f"<{digits}>"
