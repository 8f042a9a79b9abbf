"""Damage entries of the cache of compiled code: a damaged one is never loaded."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from hypothesis import strategies as st

from fuzzing.targets import Target
from fuzzing.values import changed_bytes
from neurorl.native.cache import CompileCache

_CODE = b"\x7fELF" + bytes(200)


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


TARGETS: tuple[type[Target], ...] = (NativeEntry,)
