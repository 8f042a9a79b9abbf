"""Write and read an npz of plain arrays, under a digest; nothing is unpacked or unpickled.

It is as `numpy.savez` writes it, with the SHA-256 of all that comes before as the zip's comment,
and no time of any clock in it: equal arrays have equal files. The directory and the header of every
array are read first: what they say must be what the file holds, so that it takes no more memory
than the file is long.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import RunError
from neurorl.storage.reading import JSON_MEMORY, FilePlace, json_memory, read_bytes

Array = npt.NDArray[Any]

LARGEST_FILE = 2**30
"""Limit the size of a checkpoint or a saved network, in bytes."""
COMPRESSED = ".xz"
"""End the name of a file with it that is compressed as a whole."""
DIGEST = 64
"""Count the hexadecimal digits of the digest at the end of a file."""
_LARGEST_UNPACKED = 2**24  # bytes; the only ones that can be more than a file is long
_LARGEST_DIRECTORY = 2**20  # of some 10,000 arrays
_BEGIN = b"PK\x03\x04"  # of a zip
_END = struct.Struct("<4s4H2LH")  # the end of a zip's directory, but for the comment
_ENCRYPTED = 1
_HEADER = re.compile(
    rb"\{'descr': '(\|b1|\|[iu]1|<[iu][248]|<f[248])', 'fortran_order': (True|False),"
    rb" 'shape': \((|\d+,|\d+(?:, \d+)+)\), \} *\n"
)
_MAGIC = b"\x93NUMPY\x01\x00"
_MOST_AXES = 8
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip has


def packed(arrays: Mapping[str, Array]) -> bytes:
    """Return the file of *arrays*, the same for the same, with its digest at the end."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=_NO_TIME)
            with archive.open(entry, "w", force_zip64=True) as file:
                # In C order, as np.save notes the order and equal arrays need equal bytes.
                np.save(file, np.asarray(array, order="C"), allow_pickle=False)
    return signed(buffer)


def packed_with(text: bytes, arrays: Mapping[str, Array], member: str, where: str) -> bytes:
    """Return the file of *arrays* and a JSON text that describes them, a member of that name.

    Raises RunError for data too large to be read again.
    """
    size = len(text) + sum(array.nbytes for array in arrays.values())
    for what, got, limit in (
        ("too large", size, LARGEST_FILE - 2**20),  # room for the archive's headers
        ("has too large a description", json_memory(text), JSON_MEMORY),
    ):
        if got > limit:
            raise RunError(where, what, got=f"{got} bytes", limit=limit)
    return packed({member: np.frombuffer(text, dtype=np.uint8), **arrays})


def read_with(
    data: bytes, member: str, place: FilePlace, what: str
) -> tuple[bytes, dict[str, Array]]:
    """Return the text and the arrays of `packed_with`; *what*: what is wrong with other files.

    Raises RunError for these.
    """
    try:
        arrays = read_arrays(data)
        text = arrays.pop(member)
        if text.dtype != np.uint8 or text.ndim != 1:
            raise ValueError("no text for a description")
    except (KeyError, ValueError, zipfile.BadZipFile) as exc:
        raise place.wrong(what, exc) from exc
    return text.tobytes(), arrays


def signed(content: io.BytesIO) -> bytes:
    """Return *content*, a zip without a comment, with its digest as the comment."""
    digest = hashlib.sha256(content.getbuffer()).hexdigest().encode()
    content.seek(-2, io.SEEK_END)  # where the length of the comment stands
    content.write(DIGEST.to_bytes(2, "little") + digest)
    return content.getvalue()


def read_signed(path: Path, place: FilePlace, remedy: str) -> bytes:
    """Return a whole file of `packed`. Raises RunError if it is missing or not as it was signed.

    place: what errors begin with. remedy: for a damaged one.
    """
    data = read_bytes(path, LARGEST_FILE, place)
    if path.suffix == COMPRESSED:
        data = _decompressed(data, place)
    size, signed = data[-DIGEST - 2 : -DIGEST], data[-DIGEST:]
    has_size = size == DIGEST.to_bytes(2, "little")
    if not (has_size or data.startswith(_BEGIN[: len(data)])):
        other = FilePlace(place.where, place.part, "name the file that was saved, or its folder")
        raise other.wrong("is another kind of file")
    computed = hashlib.sha256(memoryview(data)[: -DIGEST - 2])
    # `signed` hashed the zip without a comment, when the comment's length was 0.
    computed.update(b"\0\0")
    if not has_size or computed.hexdigest().encode() != signed:
        damaged = FilePlace(place.where, place.part, remedy)
        raise damaged.wrong("is damaged: its digest doesn't match")
    return data


def compressed(data: bytes) -> bytes:
    """Return the content of a file whose name ends in `COMPRESSED`."""
    return lzma.compress(data, preset=6)


def _decompressed(data: bytes, place: FilePlace) -> bytes:
    """Return what was `compressed`. Raises RunError for what is damaged or too large."""
    # A small file may ask for a huge dictionary.
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2**26)
    try:
        plain = reader.decompress(data, _LARGEST_UNPACKED)
    except lzma.LZMAError as exc:
        raise place.wrong("is damaged", exc) from exc
    if not reader.eof or reader.unused_data:
        raise place.wrong("is damaged, or too large", limit=f"{_LARGEST_UNPACKED} bytes")
    return plain


def read_arrays(data: bytes) -> dict[str, Array]:
    """Return the arrays of an archive by name. Raises ValueError or BadZipFile for any other file.

    data: the whole file, which ends with the zip's comment.
    """
    _check_directory(data)
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > len(data):
            raise ValueError("its arrays overlap")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in arrays or name == member.filename:
                raise ValueError(f"{member.filename[:60]!r} is no array, or there twice")
            if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
                raise ValueError(f"{name[:60]!r} is compressed or encrypted")
            if member.compress_size != member.file_size:
                raise ValueError(f"{name[:60]!r} is of another size")
            arrays[name] = _array(name[:60], _content(archive, member))
    return arrays


def _check_directory(data: bytes) -> None:
    """Raise ValueError for a directory that is larger than any of ours, before it is read."""
    start = len(data) - _END.size - DIGEST
    if start < 0:
        raise ValueError("too short")
    mark, disk, first, here, entries, size, offset, length = _END.unpack_from(data, start)
    if mark != b"PK\x05\x06" or length != DIGEST or disk or first or here != entries:
        raise ValueError("no archive of one part")
    if data[start - 20 : start - 16] == b"PK\x06\x07" or size > _LARGEST_DIRECTORY:
        raise ValueError("too many arrays")
    if offset + size != start:
        raise ValueError("its directory isn't at its end")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(member)
    except (EOFError, NotImplementedError, RuntimeError, struct.error) as exc:
        raise ValueError(f"{member.filename[:60]!r}: {exc}") from exc


def _array(name: str, content: bytes) -> Array:
    """Return the array of an npy of version 1.0, of numbers or truth values."""
    if content[:8] != _MAGIC or len(content) < 10:
        raise ValueError(f"{name!r} is no array")
    start = 10 + int.from_bytes(content[8:10], "little")
    header = _HEADER.fullmatch(content[10:start])
    if header is None:
        raise ValueError(f"{name!r} is no array of numbers")
    dtype = np.dtype(header[1].decode())
    axes = header[3].decode().replace(",", " ").split()
    if len(axes) > _MOST_AXES or any(len(axis) > 18 for axis in axes):
        raise ValueError(f"{name!r} has too many axes, or too long ones")
    shape = tuple(map(int, axes))
    if math.prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError(f"{name!r} isn't of the shape that it says")
    order: Any = "F" if header[2] == b"True" else "C"
    array = np.frombuffer(content, dtype, offset=start).reshape(shape, order=order).copy(order)
    if dtype == np.bool_ and (array.view(np.uint8) > 1).any():
        raise ValueError(f"{name!r} has truth values that are none")
    return array
