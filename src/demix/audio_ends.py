"""Does a file end where its header says? Decoders read a file that was cut off as if it were a shorter one."""

import struct
from pathlib import Path
from typing import BinaryIO

EXACT = ("wav", "w64", "flac", "mov", "mp4", "aiff", "caf", "au")  # FFmpeg's names: their headers count samples
STREAMED = 0x7FFF0000  # bytes; programs that write a wav into a pipe give at least this as its size
HEADER_BYTES = 4096
OGG_PAGE_BYTES = 65_307  # no page is longer


def counts_samples(path: Path, format_name: str) -> bool:
    """Say whether the length that the header gives is a count of samples and not a guess from the file's size."""
    if set(format_name.split(",")) & set(EXACT):
        return True
    return format_name == "mp3" and _has_frame_count(path)


def is_cut_off(path: Path, format_name: str) -> bool:
    """Say whether bytes are missing that the decoder does not miss: of wav and Ogg.

    Args:
        path: the file.
        format_name: FFmpeg's name of its format.
    """
    with path.open("rb") as file:
        if format_name == "wav":
            return _wav_is_cut_off(file)
        return format_name == "ogg" and _ogg_is_cut_off(file)


def _wav_is_cut_off(file: BinaryIO) -> bool:
    """Walk the chunks of a RIFF file up to its samples."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(4) != b"RIFF":
        return False  # RF64 and RIFX, rare and not checked
    place = 12
    while place + 8 <= size:
        file.seek(place)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"data":
            return place + 8 + length > size and length < STREAMED
        place += 8 + length + length % 2
    return False


def _ogg_is_cut_off(file: BinaryIO) -> bool:
    """Look for the mark of the end on the last page of an Ogg file."""
    size = file.seek(0, 2)
    file.seek(max(0, size - OGG_PAGE_BYTES))
    end = file.read()
    place = end.rfind(b"OggS")
    return place >= 0 and place + 5 < len(end) and not end[place + 5] & 4


def _has_frame_count(path: Path) -> bool:
    """Look for the header that tells an mp3's length, behind its tags."""
    with path.open("rb") as file:
        head = file.read(10)
        if len(head) == 10 and head[:3] == b"ID3":
            size = 0
            for byte in head[6:10]:  # seven bits a byte
                size = size << 7 | byte & 0x7F
            file.seek(10 + size)
        else:
            file.seek(0)
        start = file.read(HEADER_BYTES)
    return b"Xing" in start or b"Info" in start
