"""Read an npz as `numpy.savez` writes it, and no other: nothing is unpacked or unpickled.

The directory and the header of every array are read first. What they say must be what the file
holds, so that it takes no more memory than the file is long.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LARGEST_FILE", "read_arrays"]

LARGEST_FILE = 2**30
"""Bytes of a checkpoint."""
_LARGEST_DIRECTORY = 2**20  # of some 10,000 arrays
_END = struct.Struct("<4s4H2LH")  # the end of a zip's directory, but for the comment
_ENCRYPTED = 1
_HEADER = re.compile(
    rb"\{'descr': '(\|b1|\|[iu]1|<[iu][248]|<f[248])', 'fortran_order': (True|False),"
    rb" 'shape': \((|\d+,|\d+(?:, \d+)+)\), \} *\n"
)
_MAGIC = b"\x93NUMPY\x01\x00"
_MOST_AXES = 8


def read_arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an archive by name. Raises ValueError or BadZipFile for any other file.

    data: the whole file, which ends with the zip's comment.
    """
    _check_directory(data)
    arrays: dict[str, npt.NDArray[Any]] = {}
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
    comment = 64
    start = len(data) - _END.size - comment
    if start < 0:
        raise ValueError("too short")
    mark, disk, first, here, entries, size, offset, length = _END.unpack_from(data, start)
    if mark != b"PK\x05\x06" or length != comment or disk or first or here != entries:
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


def _array(name: str, content: bytes) -> npt.NDArray[Any]:
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
