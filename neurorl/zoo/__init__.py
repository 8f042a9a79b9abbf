"""Find pretrained agents by name: ``zoo:cartpole-lif`` stands for a run wherever one is read.

`scripts/zoo.py` makes them. Each has a folder in ``agents/``, a run directory with a card
(README.md) whose checkpoint is compressed; ``agents.json`` says what is there, and the digest of
every file.
"""

from neurorl.zoo.catalogue import (
    AGENTS,
    ON_CHIP,
    PREFIX,
    ZooAgent,
    agents,
    find,
    is_within,
    located,
    name_of,
)

__all__ = [
    "AGENTS",
    "ON_CHIP",
    "PREFIX",
    "ZooAgent",
    "agents",
    "find",
    "is_within",
    "located",
    "name_of",
]
