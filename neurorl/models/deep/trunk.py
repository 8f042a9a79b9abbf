"""Say which hidden layers the actions have: of their own, or shared by all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from neurorl.errors import DescriptionError, quoted
from neurorl.models.agent.answers import Check, check_attributes
from neurorl.models.agent.parts import Part, Registry
from neurorl.models.deep.feedback import FEEDBACKS, Feedback
from neurorl.models.deep.normalisation import NORMALISATIONS, Normalisation
from neurorl.models.deep.observations import OBSERVATIONS, Observations
from neurorl.models.deep.patches import Patches
from neurorl.models.deep.step_size import STEP_SIZES, StepSize
from neurorl.network.serialization import Flag, NotNegative, Range, Share, check_kind_or_none, flag

INNER: Mapping[str, Registry[Any]] = {
    registry.kind: registry for registry in (NORMALISATIONS, FEEDBACKS, STEP_SIZES, OBSERVATIONS)
}
"""Map each field of `Shared` that holds a part to the registry of its classes."""


def _names(where: str, value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(name, str) for name in value):
        raise DescriptionError(where, "not names of populations", got=quoted(value))


@dataclass(frozen=True, eq=False)
class Trunk(Part):
    """Say how hidden layers serve actions.

    is_shared: whether all actions have the same hidden layers.
    readouts: populations whose membranes are read, so that it doesn't matter whether they spike.
    """

    attributes: ClassVar[Mapping[str, Check]] = {"is_shared": flag, "readouts": _names}
    is_shared: ClassVar[bool] = False
    readouts: ClassVar[tuple[str, ...]] = ()
    _place = "agent.trunk"


@dataclass(frozen=True, eq=False)
class Modules(Trunk, called="modules"):
    """Give each action hidden units of its own, as the papers do; the agent's rule teaches them."""


@dataclass(frozen=True, eq=False)
class Shared(Trunk, called="shared"):
    """Let all actions, and the critic, learn hidden layers that serve each of them.

    Layers are dense, but for a first one of *patches*; `neurorl.learning.deep.rule` has the
    equations. They need a ``critic`` of `neurorl.models.agent.critics.Layers`. ``hidden`` of the
    agent are the sizes of the actor's layers, ``alpha_hidden`` and ``alpha_output`` the steps of
    its synapses for a normalised signal, ``critic.alpha`` those of the critic's; with alpha_hidden
    0 all hidden layers stay as they were drawn.

    normalisation, feedback, step_size, observations: objects, or names from their registries.
    patches: a first layer of actor and critic, below those of ``hidden``, whose neurons see small
        parts of an image with the same weights everywhere; None for none. Sharing weights isn't
        local.
    spread: initial weights of hidden layers are even within +-spread / sqrt(n_pre); readouts begin
        at 0.
    centring: rate of the running means of each neuron's own learning signal, alone and times its
        drive, that are taken off it; 0 takes off nothing.
    entropy: factor of the entropy's gradient, which keeps exploration alive.
    slope: k of the surrogate ``psi = k p (1 - p)`` with ``p = 1 / (1 + exp(-k (u - 1)))``.
    scales_rewards: whether rewards are divided by the running deviation of discounted returns.
    faded: traces are cut when inputs were silent for so long that less than this share is left.
    """

    is_shared: ClassVar[bool] = True
    readouts: ClassVar[tuple[str, ...]] = ("output", "critic")

    normalisation: Normalisation = field(default_factory=NORMALISATIONS.default)
    feedback: Feedback = field(default_factory=FEEDBACKS.default)
    step_size: StepSize = field(default_factory=STEP_SIZES.default)
    observations: Observations = field(default_factory=OBSERVATIONS.default)
    patches: Patches | None = None
    spread: NotNegative = 1.0
    centring: Share = 1e-3
    entropy: NotNegative = 2e-3
    slope: NotNegative = 3.0
    scales_rewards: Flag = True
    faded: Annotated[float, Range(1e-12, 1.0)] = 1e-3

    def __post_init__(self) -> None:
        for kind, registry in INNER.items():
            part = registry.make(getattr(self, kind), {})
            check_attributes(part)
            object.__setattr__(self, kind, part)
        super().__post_init__()
        check_kind_or_none("agent.trunk.patches", self.patches, Patches)

    @property
    def inner(self) -> dict[str, Part]:
        """Return the parts that it consists of, by field."""
        return {kind: getattr(self, kind) for kind in INNER}


TRUNKS = Registry("trunk", Trunk, Modules, Shared, compiled=False)
"""Map the name of each trunk to its class; ``TRUNKS.register`` adds one."""
