"""Is a file whole, by its bytes? Decoders read a file that was cut off or damaged as if it were a shorter one."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from demix.errors import DemixError

# FFmpeg's names. Their headers count samples; of caf and w64 it takes the size of the file, see `check_whole`.
EXACT = ("wav", "w64", "flac", "mov", "mp4", "aiff", "caf", "au")
STREAMED = 0x7FFF0000  # bytes; programs that write a wav into a pipe give at least this as its size
HEADER_BYTES = 4096
ID3_HEAD_BYTES = 10
MPEG_1_RATE = 32_000  # Hz; below it an mp3 is MPEG 2, of half as many samples in a frame
OGG_PAGE_BYTES = 65_307  # no page is longer
OGG_HEAD = struct.Struct("<5xBqIIIB")  # flags, time, stream, number of the page, checksum, number of segments
OGG_FIRST, OGG_LAST = 2, 4  # flags of a stream's first and last page
# Ogg's checksum is that of zip with the bits of every byte the other way round
REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
TS_SYNC, TS_PACKETS = 0x47, ((0, 188), (4, 192))  # where the byte stands in a packet, bytes of a packet


@dataclass(frozen=True)
class _Chunks:
    """How a file of chunks is laid out, and which chunks must not end beyond the file.

    Args:
        header: of a chunk, for `struct`: name and length.
        first: place of the first chunk, in bytes.
        names: of the chunks that hold samples.
        unit: chunks begin at multiples of this many bytes.
        streamed: a length from here on means that the writer did not know it.
        counts_header: the length includes the header.
    """

    header: str
    first: int
    names: tuple[bytes, ...]
    unit: int = 1
    streamed: int = STREAMED
    counts_header: bool = False


_WAV = _Chunks("<4sI", 12, (b"data",), unit=2)
# by the first four bytes; RF64 is left out, its length is counted
_LAYOUTS = {
    b"RIFF": _WAV,
    b"RIFX": _Chunks(">4sI", 12, (b"data",), unit=2),
    b"riff": _Chunks("<4s12xQ", 40, (b"data",), unit=8, streamed=1 << 62, counts_header=True),  # w64
    b"caff": _Chunks(">4sQ", 8, (b"data",), streamed=1 << 62),
}
_AVI = _Chunks("<4sI", 12, (b"LIST", b"RIFF"), unit=2)


def counted_samples(path: Path, format_name: str, *, seconds: float, sample_rate: int) -> int | None:
    """Return how many samples the file's header counts; None where it gives but a guess from the file's size.

    Args:
        path: the file.
        format_name: FFmpeg's name of its format.
        seconds: FFmpeg's word on its length, which for an mp3 with strange bytes behind its music is a guess.
        sample_rate: in Hz.
    """
    if set(format_name.split(",")) & set(EXACT):
        return round(seconds * sample_rate)
    return _mp3_samples(path, sample_rate) if format_name == "mp3" else None


def mp3_start(head: bytes) -> int:
    """Return where an mp3's first frame begins: behind its ID3v2 tag, if there is one.

    Args:
        head: the first `ID3_HEAD_BYTES` of the file.
    """
    if len(head) < ID3_HEAD_BYTES or head[:3] != b"ID3":
        return 0
    size = 0
    for byte in head[6:10]:  # seven bits a byte
        size = size << 7 | byte & 0x7F
    return ID3_HEAD_BYTES + size


def check_whole(path: Path, format_name: str) -> None:
    """Raise where bytes are missing or damaged that the decoder does not miss: of wav, w64, caf, avi and Ogg.

    Args:
        path: the file; of Ogg all of it is read.
        format_name: FFmpeg's name of its format.

    Raises:
        DemixError: for a file that was cut off, or an Ogg file with a page damaged or missing.
    """
    with path.open("rb") as file:
        if format_name in ("wav", "w64", "caf", "avi"):
            cut_off = _chunk_is_cut_off(file, is_avi=format_name == "avi")
        else:
            cut_off = format_name == "ogg" and _ogg_is_cut_off(file)
        if cut_off:
            raise DemixError(f"{path}: expected a whole file, but its end is missing; it is cut off: get it again")
        if format_name == "ogg" and _ogg_is_damaged(file):
            raise DemixError(
                f"{path}: expected whole pages one after another, received damaged ones or a gap; it is damaged: "
                "get it again"
            )


def ends_in_a_packet(path: Path, format_name: str) -> bool:
    """Say whether a file is an MPEG transport stream that begins with a whole packet and ends within one."""
    if format_name != "mpegts":
        return False
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(400)
    for place, packet in TS_PACKETS:
        if len(start) > place + packet and start[place] == start[place + packet] == TS_SYNC:
            return size % packet != 0
    return False


def _chunk_is_cut_off(file: BinaryIO, *, is_avi: bool) -> bool:
    """Walk the chunks of a file."""
    size = file.seek(0, 2)
    file.seek(0)
    layout = _LAYOUTS.get(file.read(4))
    if layout is None:
        return False
    if is_avi:
        layout = _AVI
    header = struct.calcsize(layout.header)
    place = layout.first
    while place + header <= size:
        file.seek(place)
        name, length = struct.unpack(layout.header, file.read(header))
        end = place + length if layout.counts_header else place + header + length
        if name in layout.names and end > size:
            return bool(length < layout.streamed)
        place = max(place + header, end + -end % layout.unit)
    return False


def _ogg_is_cut_off(file: BinaryIO) -> bool:
    """Look for the mark of the end on the last page of an Ogg file."""
    size = file.seek(0, 2)
    file.seek(max(0, size - OGG_PAGE_BYTES))
    end = file.read()
    place = end.rfind(b"OggS")
    return place >= 0 and place + 5 < len(end) and not end[place + 5] & OGG_LAST


def _ogg_is_damaged(file: BinaryIO) -> bool:
    """Check every page as FFmpeg does, which leaves damaged ones out without a word; and whether one is missing."""
    file.seek(0)
    file.seek(max(0, file.read(OGG_PAGE_BYTES).find(b"OggS")))  # tags may come before
    following: dict[int, int] = {}  # stream -> number of its next page
    while (head := file.read(OGG_HEAD.size))[:4] == b"OggS" and len(head) == OGG_HEAD.size:
        flags, time, stream, number, checksum, segments = OGG_HEAD.unpack(head)
        lengths = file.read(segments)
        page = head[:22] + bytes(4) + head[26:] + lengths + file.read(sum(lengths))
        if checksum != _ogg_checksum(page):
            return True
        if not flags & OGG_FIRST and number != following.get(stream, number):
            return True
        # streams recorded from a radio go on anywhere behind their headers, whose time is 0
        following.pop(stream, None)
        if time > 0:
            following[stream] = number + 1
    return b"OggS" in head + file.read(OGG_PAGE_BYTES)  # something is between two pages


def _ogg_checksum(page: bytes) -> int:
    """Return the checksum of a page whose own four bytes of it are zero."""
    total = zlib.crc32(page.translate(REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(total.to_bytes(4, "big").translate(REVERSED_BITS), "little")


def _mp3_samples(path: Path, sample_rate: int) -> int | None:
    """Read the header that tells an mp3's length, behind its tags: frames, less what the encoder put around the music.

    Fields: Xing's tag, flags, frames, bytes, table and quality, each there if its flag is; then that of LAME.
    """
    with path.open("rb") as file:
        file.seek(mp3_start(file.read(ID3_HEAD_BYTES)))
        start = file.read(HEADER_BYTES)
    place = max(start.find(b"Xing"), start.find(b"Info"))
    if place < 0 or len(start) < place + 12:
        return None
    flags, frames = struct.unpack_from(">II", start, place + 4)
    if not flags & 1:
        return None
    lame = place + 8 + sum(size for bit, size in enumerate((4, 4, 100, 4)) if flags >> bit & 1)
    around = int.from_bytes(start[lame + 21 : lame + 24]) if start[lame : lame + 2] in (b"LA", b"La") else 0
    samples = frames * (1152 if sample_rate >= MPEG_1_RATE else 576)
    return max(0, samples - (around >> 12) - (around & 0xFFF)) or None
