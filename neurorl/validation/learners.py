"""Find learners of other distributions that are no backends, such as NEST's own synapses.

A distribution offers one by an entry point of the group ``neurorl.learners``: its name, and the
``module:function`` that `neurorl.validation.plasticity.validate_rule` takes among its others.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence

from neurorl.errors import BackendUnavailableError, one_line
from neurorl.network.description import Network
from neurorl.rules.synapse_rule import SynapseRule
from neurorl.testing.rules import Lesson
from neurorl.validation.courses import Course

GROUP = "neurorl.learners"
Learner = Callable[[Network, SynapseRule, Sequence[Lesson], Course], Course]


def told_apart(names: str) -> tuple[str, list[Learner]]:
    """Return the backends among names with commas, ``reference`` if there are none, and learners.

    Raises BackendUnavailableError for a learner that doesn't import.
    """
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    backends, learners = list[str](), list[Learner]()
    for name in names.split(","):
        if name not in points:
            backends.append(name)
            continue
        try:
            learners.append(points[name].load())
        except (ImportError, AttributeError) as exc:
            where, remedy = f"learner {name}", "install its distribution again"
            raise BackendUnavailableError(where, one_line(exc), remedy=remedy) from exc
    return ",".join(backends) or "reference", learners
