"""Text as it was written, with nothing in it that acts unseen."""

import re

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain_text(text: str) -> str:
    """Replace control characters and marks that turn the direction of reading: text shows as it is."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)
