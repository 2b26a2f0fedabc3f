"""Bytes to text: recognised or refused by name, never guessed into nonsense."""

import codecs

# Text of Chinese files keeps to GB 2312 but for rare names; bytes of another encoding (Big5, Shift-JIS,
# Latin-1) that happen to decode as GB 18030 give mostly characters outside it. No source: a planning default.
COMMON_SHARE_MIN = 0.85

# A text of Latin letters in UTF-16 without its mark has a zero in nearly every second byte.
ZERO_SHARE_MIN = 0.3

EXPECTED = "text in UTF-8, GB 18030 or UTF-16 (declare it with encoding = ... when it is not recognised)"


class UndecodableError(ValueError):
    """Bytes that are not text in the declared or in any known encoding; carries what was found."""


def decode(data: bytes, declared: str | None) -> str:
    """Decode a text file; the declared encoding wins, else the bytes tell.

    Raises
    ------
    UndecodableError
        When the bytes do not fit; its text says where.
    """
    if declared is not None:
        return _decode_as(data, _codec_of(data, declared))
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-8" if data.startswith(codecs.BOM_UTF8) else "utf-16"
        return _decode_as(data, _codec_of(data, name))
    wide = _wide_codec(data)
    if wide is not None:
        return _decode_as(data, wide)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        broken = error
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        raise UndecodableError(_where(data, broken)) from None
    if _common_share(text) < COMMON_SHARE_MIN:
        raise UndecodableError(_where(data, broken))
    return text


def _codec_of(data: bytes, name: str) -> str:
    if name == "utf-8":
        return "utf-8-sig"
    if name == "utf-16" and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _wide_codec(data) or "utf-16-le"
    return name


def _wide_codec(data: bytes) -> str | None:
    head = data[:4096]
    for codec, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if zeros.count(0) > ZERO_SHARE_MIN * len(zeros):
            return codec
    return None


def _decode_as(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise UndecodableError(_where(data, error)) from None


def _where(data: bytes, error: UnicodeDecodeError) -> str:
    line = data.count(b"\n", 0, error.start) + 1
    return f"byte 0x{data[error.start]:02X} in line {line}, which is not {error.encoding.upper()}"


def _common_share(text: str) -> float:
    wide = [letter for letter in text if not letter.isascii()]
    known = sum(1 for letter in wide if _in_gb2312(letter))
    return known / max(len(wide), 1)


def _in_gb2312(letter: str) -> bool:
    try:
        letter.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
