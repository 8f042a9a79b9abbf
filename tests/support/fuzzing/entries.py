"""Damage entries of the caches of compiled code: a damaged one is never loaded."""

from __future__ import annotations

import json
import os
from typing import Any, ClassVar

from hypothesis import strategies as st

from fuzzing.targets import Target
from fuzzing.values import as_text, changed_bytes, changed_tree, paths_of
from neurorl.backends.brian2 import cache
from neurorl.native.cache import CompileCache

__all__ = ["TARGETS"]

_CODE = b"\x7fELF" + bytes(200)
_ARRAYS = [["neurons", "v", "float64", 3], ["neurons", "u", "float64", 3]]


class Brian2Entry(Target):
    """Make a compiled network of Brian2: its library, arrays and digest."""

    name: ClassVar[str] = "cache, brian2"
    weight: ClassVar[int] = 10

    def prepare(self) -> None:
        os.chmod(self.folder, 0o700)
        self.cache = CompileCache(self.folder)
        self.entry = self.folder / "entry"
        self.entry.mkdir(mode=0o700)
        text = json.dumps(_ARRAYS).encode()
        whole = {
            "library.so": _CODE,
            "arrays.json": text,
            "sha256": cache._hash(_CODE, _ARRAYS).encode(),
        }
        trees = changed_tree(_ARRAYS, paths_of(_ARRAYS), raw=True).map(as_text)
        others = {name: changed_bytes(data) for name, data in whole.items()}
        others["arrays.json"] |= trees
        self.whole = whole
        self.inputs = st.sampled_from(sorted(whole)).flatmap(
            lambda name: st.tuples(st.just(name), others[name])
        )

    def attempt(self, value: Any) -> None:
        name, data = value
        for file, content in {**self.whole, name: data}.items():
            (self.entry / file).write_bytes(content)
        entry = cache._read(self.cache, "entry")
        assert entry is None or (entry.code, entry.arrays) == (_CODE, _ARRAYS), "it was believed"


class NativeEntry(Target):
    """Make a library of ours and its digest."""

    name: ClassVar[str] = "cache, native"
    weight: ClassVar[int] = 6

    def prepare(self) -> None:
        os.chmod(self.folder, 0o700)
        self.cache = CompileCache(self.folder)
        built = self.cache.library("code", lambda path: _keep(path.write_bytes(_CODE)))
        assert built == _CODE
        self.whole = {
            name: (self.folder / name).read_bytes() for name in ("code.so", "code.sha256")
        }
        self.inputs = st.sampled_from(sorted(self.whole)).flatmap(
            lambda name: st.tuples(st.just(name), changed_bytes(self.whole[name]))
        )

    def attempt(self, value: Any) -> None:
        name, data = value
        for file, content in {**self.whole, name: data}.items():
            (self.folder / file).write_bytes(content)
        code = self.cache.library("code", lambda path: _keep(path.write_bytes(_CODE)))
        assert code == _CODE, "a damaged library was believed"


def _keep(_: Any) -> None:
    return None


TARGETS: tuple[type[Target], ...] = (Brian2Entry, NativeEntry)
