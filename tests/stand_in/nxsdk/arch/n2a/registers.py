"""Take any field as a register, and keep what was written."""

from __future__ import annotations

from typing import Any


class Register:
    """Note what is written by name (fields), and the items that were looked at (parts)."""

    fields: dict[str, Any]
    parts: dict[int, Register]

    def __init__(self) -> None:
        object.__setattr__(self, "fields", {})
        object.__setattr__(self, "parts", {})

    def __getitem__(self, k: int) -> Register:
        return self.parts.setdefault(int(k), Register())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.fields.setdefault(name, Register())

    def __setattr__(self, name: str, value: Any) -> None:
        self.fields[name] = value

    def configure(self, **values: Any) -> None:
        self.fields.update(values)


class Core(Register):
    """Hold one core's registers, and axons."""

    def __init__(self, chip: Any, number: int) -> None:
        super().__init__()
        self.configure(parent=chip, id=number, axons=[])
        self.cxState.configure(core=self)

    def createDiscreteAxon(
        self, srcCxId: int, dstChipId: int, dstCoreId: int, dstSynMapId: int
    ) -> None:
        self.axons.append((int(srcCxId), dstChipId, dstCoreId, dstSynMapId))
