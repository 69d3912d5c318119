"""Whether the bytes of a file are text in the encoding that the config says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from concept_transfer.errors import StudyError

SIGNED = {"utf-8": "utf-8-sig"}  # a mark at the beginning of a file is no text


def check_bytes(path: Path, encoding: str) -> None:
    """Refuse what is no text in the encoding, by the first line that shows it (StudyError)."""
    data = path.read_bytes()
    zero = data.find(b"\0")
    if zero >= 0:
        line = data.count(b"\n", 0, zero) + 1
        raise StudyError(
            f"{path}, line {line}: a byte 0, which text does not have; the file is binary, or in "
            "UTF-16. Save it as text in UTF-8"
        )
    lines = {n: line for n, line in enumerate(data.split(b"\n"), 1) if not line.isascii()}
    others = _wrong_bytes(lines, "utf-8")
    if encoding == "utf-8":
        mixed = "while others are: the file mixes encodings. Convert these lines"
        windows = "say `encoding: cp1252` if Windows wrote the file, or convert it"
        _refuse(path, encoding, others, mixed if len(others) < len(lines) else windows)
        return
    as_utf8 = [number for number in lines if number not in others]
    if as_utf8:
        mixed = "others are not: the file mixes encodings. Convert these lines"
        remedy = mixed if others else "leave out `encoding`, or say `encoding: utf-8`"
        several = f"; {len(as_utf8)} lines are" if len(as_utf8) > 1 else ""
        raise StudyError(
            f"{path}, line {as_utf8[0]}: text in UTF-8, of which {encoding.upper()} would make "
            f"other letters{several}; {remedy}"
        )
    _refuse(path, encoding, _wrong_bytes(lines, encoding), "convert the file to UTF-8")


def wrong_byte(data: bytes, encoding: str) -> int | None:
    """The first byte that is no text in an encoding, None where all are.

    >>> wrong_byte("für".encode("cp1252"), "utf-8"), wrong_byte("für".encode(), "utf-8")
    (252, None)
    """
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return data[error.start]
    return None


def _wrong_bytes(lines: Mapping[int, bytes], encoding: str) -> dict[int, int]:
    """Number of a line -> its first byte that is no text."""
    found = {number: wrong_byte(line, encoding) for number, line in lines.items()}
    return {number: byte for number, byte in found.items() if byte is not None}


def _refuse(path: Path, encoding: str, wrong: Mapping[int, int], remedy: str) -> None:
    if wrong:
        number, byte = next(iter(wrong.items()))
        raise StudyError(
            f"{path}, line {number}: not text in {encoding.upper()} (byte 0x{byte:02X})"
            f"{f'; {len(wrong)} lines are not' if len(wrong) > 1 else ''}; {remedy}"
        )
