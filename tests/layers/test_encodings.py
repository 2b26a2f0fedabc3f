"""Encodings are recognised or refused, never guessed into nonsense."""

import pytest

from siteplanner.layers.encodings import UndecodableError, decode

# "Taiyuan shi Wucheng zhihang" in simplified, "Taibei fenhang" in traditional characters.
SIMPLIFIED = "B1,\u592a\u539f\u5e02\u575e\u57ce\u652f\u884c\n"
TRADITIONAL = "B1,\u81fa\u5317\u5206\u884c\u9280\u884c\u71df\u696d\u5ef3\u9ad4\u80b2\u9928\n"


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_known_encodings_are_recognised(codec):
    assert decode(("name\n" + SIMPLIFIED).encode(codec), None) == "name\n" + SIMPLIFIED


@pytest.mark.parametrize(
    ("declared", "codec"), [("utf-8", "utf-8-sig"), ("gb18030", "gbk"), ("utf-16", "utf-16-be")]
)
def test_declared_encoding_is_used(declared, codec):
    assert decode(("name\n" + SIMPLIFIED).encode(codec), declared) == "name\n" + SIMPLIFIED


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        (TRADITIONAL, "big5"),
        ("Caf\u00e9 Z\u00fcrich,1\n", "latin-1"),
        ("\u30c6\u30b9\u30c8,1\n", "shift-jis"),
    ],
)
def test_foreign_encodings_are_refused_with_their_line(text, codec):
    with pytest.raises(UndecodableError, match=r"byte 0x.. in line 2, which is not UTF-8"):
        decode(("name\n" + text).encode(codec), None)


def test_wrong_declaration_is_refused():
    with pytest.raises(UndecodableError, match="in line 1"):
        decode(SIMPLIFIED.encode("gb18030"), "utf-8")


def test_one_rare_character_does_not_spoil_a_gb18030_file():
    # U+9555 (a given name) is in GB 18030 but not in GB 2312.
    text = SIMPLIFIED * 3 + "\u9555\n"
    assert decode(text.encode("gb18030"), None) == text
