"""Unpacking compressed batches under a limit: a broker looks at the packed size alone, and 20 KB may hold 200 MB.

A batch is read by its header (61 bytes, magic 2), checked, and unpacked into a buffer that never grows beyond the limit.
One that holds more is not unpacked at all: it is handed on as it came, as one record that stands for all of its offsets.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import cramjam
from aiokafka.codec import _detect_xerial_stream, snappy_decode
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.util import calc_crc32c

from shared.contracts.topics import RECORD_BYTES

UNPACKED_BYTES: Final = 16 * RECORD_BYTES
"""What one batch may unpack to where nothing else is set: sixteen times what a producer fills by its defaults."""

HEADER_BYTES: Final = 61
_LOG_OVERHEAD: Final = 12
_CRC_AT, _ATTRIBUTES_AT, _COUNT_AT = 17, 21, 57
_CODEC_MASK: Final = 0x07
_FIRST_BYTES: Final = 64 * 1024
_FULL: Final = "failed to write whole buffer"


class TooMuchError(Exception):
    """The batch unpacks to more than the limit."""


def codec_of(raw: memoryview) -> int:
    return raw[_ATTRIBUTES_AT + 1] & _CODEC_MASK


def count_of(raw: memoryview) -> int:
    """How many records the batch says it holds."""
    return int.from_bytes(raw[_COUNT_AT : _COUNT_AT + 4], "big")


def check_crc(raw: memoryview) -> None:
    """Raises `CorruptRecordException` where the bytes are not those that the broker took."""
    if calc_crc32c(bytes(raw[_ATTRIBUTES_AT:])) != int.from_bytes(raw[_CRC_AT : _CRC_AT + 4], "big"):
        raise CorruptRecordException("the checksum of a batch is wrong")


def plain(raw: memoryview, limit: int) -> bytes:
    """The same batch without compression; its checksum is no longer right. Raises `TooMuchError`, and what the codec
    raises for bytes that it cannot read."""
    attributes = int.from_bytes(raw[_ATTRIBUTES_AT : _ATTRIBUTES_AT + 2], "big")
    unpack = _UNPACK.get(attributes & _CODEC_MASK)
    if unpack is None:
        raise UnsupportedCodecError(f"codec {attributes & _CODEC_MASK} of a batch is unknown")
    body = unpack(raw[HEADER_BYTES:], limit)
    header = bytearray(raw[:HEADER_BYTES])
    struct.pack_into(">i", header, 8, HEADER_BYTES - _LOG_OVERHEAD + len(body))
    struct.pack_into(">H", header, _ATTRIBUTES_AT, attributes & ~_CODEC_MASK)
    return bytes(header) + body


def batches(raw: memoryview) -> Iterator[memoryview]:
    """The whole batches of a fetch, which may end in the middle of one."""
    at = 0
    while len(raw) - at >= HEADER_BYTES:
        end = at + _LOG_OVERHEAD + int.from_bytes(raw[at + 8 : at + _LOG_OVERHEAD], "big")
        if end > len(raw) or end <= at + _LOG_OVERHEAD:
            return
        yield raw[at:end]
        at = end


def _into(decompress_into: Callable[[Any, Any], int]) -> Callable[[memoryview, int], bytes]:
    """For codecs that write into a buffer of ours and stop where it is full."""

    def unpack(packed: memoryview, limit: int) -> bytes:
        size = min(max(_FIRST_BYTES, 8 * len(packed)), limit)
        while True:
            buffer = bytearray(size)
            try:
                written = decompress_into(packed, buffer)
            except cramjam.DecompressionError as error:
                if str(error) != _FULL:
                    raise CorruptRecordException(f"a batch cannot be unpacked: {error}") from error
                if size >= limit:
                    raise TooMuchError from None
                size = min(8 * size, limit)
            else:
                return bytes(memoryview(buffer)[:written])

    return unpack


def _gzip(packed: memoryview, limit: int) -> bytes:
    rest, found = bytes(packed), bytearray()
    while rest:
        stream = zlib.decompressobj(wbits=31)
        found += stream.decompress(rest, limit + 1 - len(found))
        if len(found) > limit:
            raise TooMuchError
        if not stream.eof:
            raise CorruptRecordException("a batch ends in the middle of its compressed bytes")
        rest = stream.unused_data
    return bytes(found)


def _snappy(packed: memoryview, limit: int) -> bytes:
    """Every block says its length first."""
    total, at = 0, 0
    whole = bytes(packed)
    if not _detect_xerial_stream(whole):
        total = cramjam.snappy.decompress_raw_len(whole)
    else:
        at = 16
        while at + 4 <= len(whole) and total <= limit:
            size = int.from_bytes(whole[at : at + 4], "big")
            total += cramjam.snappy.decompress_raw_len(whole[at + 4 : at + 4 + size])
            at += 4 + size
    if total > limit:
        raise TooMuchError
    return bytes(snappy_decode(whole))


_UNPACK: Final[dict[int, Callable[[memoryview, int], bytes]]] = {
    1: _gzip,
    2: _snappy,
    3: _into(cramjam.lz4.decompress_into),
    4: _into(cramjam.zstd.decompress_into),
}
