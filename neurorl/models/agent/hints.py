"""Say what to write here in place of words that users of Stable-Baselines3 know."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from neurorl.errors import ArgumentError, unknown_name_error

_RATES = (
    "alpha_output, alpha_hidden and critic=Linear(alpha=...) are the rates"
    " (by gradients gradient={'learning_rate': ...})"
)
_EXPLORES = "play has no exploration; predict(deterministic=False) and evaluate(explore=True) draw"
_NO_BATCH = (
    "leave it out: the local rule learns in each step, from no batch and no replay"
    " (by gradients gradient={'steps': ...} is a rollout)"
)
_NETWORK = "the network is hidden=(8, 4), actors=10, cells=, neuron=; docs/python.md"
_ADDED = (
    "learn(total_timesteps=N) adds steps; on the command line --steps counts those of all calls"
)
_BAR = "learn(progress_bar=True); neurorl train shows a bar"
_BOARD = "callback=neurorl.callbacks.TensorBoard(folder) of learn"
_TELLS = "leave it out: callback=print of learn tells each episode; docs/callbacks.md"
_CRITIC = "leave it out: the critic learns by its own rate, critic=Linear(alpha=...)"
_NO_LIMIT = "leave it out: a step of the rule is small, and modulator=TDError(limit=...) bounds it"

_ENV_WORDS = (
    "give gymnasium.make(id, is_slippery=False); on the command line --env-arg is_slippery=false"
)

HINTS = {
    "env_kwargs": _ENV_WORDS,
    "env_args": _ENV_WORDS,
    "learning_rate": _RATES,
    "total_timesteps": _ADDED,
    "timesteps": _ADDED,
    "deterministic": _EXPLORES,
    "n_eval_episodes": "episodes=",
    "n_envs": "environments=",
    "verbose": _TELLS,
    "progress_bar": _BAR,
    "tensorboard_log": _BOARD,
    "tb_log_name": _BOARD,
    "log_interval": _TELLS,
    "stats_window_size": _TELLS,
    "n_steps": _NO_BATCH,
    "batch_size": _NO_BATCH,
    "buffer_size": _NO_BATCH,
    "learning_starts": _NO_BATCH,
    "n_epochs": _NO_BATCH,
    "train_freq": _NO_BATCH,
    "gradient_steps": _NO_BATCH,
    "gae_lambda": "lambda_actor= and critic=Linear(lambda_=...)",
    "ent_coef": "policy=Softmax(beta=..., exploration=...): sharper, and with even actions"
    " (by gradients gradient={'entropy': ...})",
    "vf_coef": _CRITIC,
    "clip_range": "modulator=TDError(limit=...) bounds the TD error",
    "max_grad_norm": _NO_LIMIT,
    "target_kl": _NO_LIMIT,
    "policy_kwargs": _NETWORK,
    "net_arch": _NETWORK,
    "device": "backend='torch', backend_options={'device': ...}; by gradients device=",
    "normalize_advantage": "normalises=",
}
"""Map a keyword of Stable-Baselines3 to what is written here."""


def refuse_words(call: Callable[..., object], words: Mapping[str, object]) -> None:
    """Raise UnknownNameError for the first of these keywords, which a function doesn't take."""
    for word in words:
        parameters = inspect.signature(call).parameters.values()
        known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        raise unknown_name_error(f"keyword of {call.__name__}", word, known, HINTS)


def refuse_policy(env: str) -> None:
    """Raise ArgumentError for an environment's id that is the name of a policy's network."""
    if env.endswith("Policy"):
        remedy = "leave it out, as in SpikingActorCritic('CartPole-v1'): the task chooses a network"
        raise ArgumentError("env", "is no environment but a policy", got=env, remedy=remedy)
