"""Say what to write here in place of words that users of Stable-Baselines3 know."""

from __future__ import annotations

from collections.abc import Mapping

from neurorl.errors import ArgumentError, unknown_name_error

_RATES = (
    "alpha_output, alpha_hidden and critic=Linear(alpha=...) are the rates"
    " (by gradients gradient's own)"
)
_EXPLORES = (
    "play has no exploration; predict(deterministic=False), player(seed, explore=True) and "
    "evaluate(explore=True) draw"
)
_NO_BATCH = "leave it out: the local rule learns in each step, from no batch and no replay"
_NETWORK = "the network is hidden=(8, 4), actors=10, cells=, neuron=; docs/python.md"

HINTS = {
    "learning_rate": _RATES,
    "total_timesteps": "total_steps=, on the command line --steps; counts those of all calls",
    "timesteps": "total_steps=, on the command line --steps; counts those of all calls",
    "deterministic": _EXPLORES,
    "n_eval_episodes": "episodes=",
    "n_envs": "environments=",
    "verbose": "leave it out: callback=print tells each episode, and neurorl train shows a bar",
    "progress_bar": "callback=neurorl.callbacks.Progress, or neurorl train, which shows a bar",
    "tensorboard_log": "callback=neurorl.callbacks.TensorBoard(folder) of learn",
    "tb_log_name": "callback=neurorl.callbacks.TensorBoard(folder) of learn",
    "log_interval": "callback=, told of each episode; docs/callbacks.md",
    "n_steps": _NO_BATCH,
    "batch_size": _NO_BATCH,
    "buffer_size": _NO_BATCH,
    "n_epochs": _NO_BATCH,
    "train_freq": _NO_BATCH,
    "gae_lambda": "lambda_actor= and critic=Linear(lambda_=...)",
    "ent_coef": "policy=Softmax(beta=..., exploration=...): sharper, and with even actions",
    "clip_range": "modulator=TDError(limit=...) bounds the TD error",
    "policy_kwargs": _NETWORK,
    "net_arch": _NETWORK,
    "device": "backend='torch', backend_options={'device': ...}; by gradients device=",
    "normalize_advantage": "normalises=",
}
"""Map a keyword of Stable-Baselines3 to what is written here."""


def refuse_words(where: str, words: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Raise UnknownNameError for the first of these keywords, which *where* doesn't take."""
    for word in words:
        raise unknown_name_error(f"keyword of {where}", word, known, HINTS)


def refuse_policy(env: str) -> None:
    """Raise ArgumentError for an environment's id that is the name of a policy's network."""
    if env.endswith("Policy"):
        remedy = "leave it out, as in SpikingActorCritic('CartPole-v1'): the task chooses a network"
        raise ArgumentError("env", "is no environment but a policy", got=env, remedy=remedy)
