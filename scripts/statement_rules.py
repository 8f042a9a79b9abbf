"""Train agents by a rule of statements and by their preset's rule, and compare.

    python scripts/statement_rules.py --page docs/rules.md
    python scripts/statement_rules.py --tasks gridworld --seeds 100..102 --rates 0.004,0.002

The rule has bounds that are soft, which no text of post factors can say: a change is the smaller
the nearer the weight is to its bound. Each agent learns as many episodes as its preset's tables
have, and is then evaluated greedily. --rates replaces the rates of hidden layer and output.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.markup import put_between, table_row
from neurorl import SpikingActorCritic, evaluate
from neurorl.errors import check_name
from neurorl.models.agent.options import AgentOptions
from neurorl.rules import Rule, SynapseRule
from neurorl.runs.training import read_seeds

SOFT = SynapseRule(
    "soft bounds",
    equations="dx_pre/dt = -x_pre/tau; de/dt = -e/tau_e",
    on_pre="x_pre += 1",
    on_post="e += x_pre*phi*b*(1 - n/W)",
    on_reward="w += rate*M*e*(high - w)*(w - low)",
    parameters={"tau": 4.5e-3, "tau_e": 0.1, "rate": 0.01},
    signals=("phi", "b", "n", "W"),
)
HEADER = (
    "| task | episodes | rule | greedy, mean of seeds (lowest) | last 100 episodes |",
    "|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Task:
    """Hold an environment, the episodes learned and evaluated, and SOFT's rates and memory.

    rates: of hidden layer and output. tau_e: seconds of windows.
    """

    env: str
    episodes: int
    evaluated: int
    rates: tuple[float, float]
    tau_e: float


TASKS = {
    "gridworld": Task("neurorl/GridWorld-v0", 300, 200, (0.0033, 0.0004), 0.057),
    "cartpole": Task("CartPole-v1", 140, 20, (0.0033, 0.0018), 0.104),
}


def of_task(task: Task, rates: tuple[float, float]) -> Mapping[str, str | Rule | SynapseRule]:
    """Return the rules of hidden layer and output."""
    into = ("input_hidden", "bias_hidden"), ("hidden_output", "bias_output")
    made: dict[str, str | Rule | SynapseRule] = {}
    for rate, names in zip(rates, into, strict=True):
        parameters = {**SOFT.parameters, "rate": rate, "tau_e": task.tau_e}
        rule = dataclasses.replace(SOFT, name=f"soft bounds, {rate:g}", parameters=parameters)
        made |= dict.fromkeys(names, rule)
    return made


def figures(task: Task, seed: int, rates: tuple[float, float] | None) -> tuple[float, float]:
    """Return the mean return of an agent that plays greedily, and of its last 100 episodes.

    rates: of SOFT; None for the preset's rule.
    """
    chosen: AgentOptions = {} if rates is None else {"rule": SOFT, "rules": of_task(task, rates)}
    with closing(SpikingActorCritic(task.env, seed=seed, **chosen)) as agent:
        episodes = agent.learn(total_episodes=task.episodes)
        discounted = agent.config.solved_discounted
        last = [e.discounted if discounted else e.ret for e in episodes[-100:]]
        played = evaluate(agent, task.evaluated)
        greedy = played["mean_discounted_return" if discounted else "mean_return"]
    return float(greedy), float(np.mean(last))


def rows(name: str, seeds: list[int], rates: tuple[float, float] | None) -> Iterator[str]:
    """Yield a row of the table for each of the two rules."""
    task = TASKS[name]
    statements = f"soft bounds, rates {', '.join(f'{x:g}' for x in rates or task.rates)}"
    for rule, of in (("of the preset", None), (statements, rates or task.rates)):
        made = [figures(task, seed, of) for seed in seeds]
        print(name, rule, [tuple(round(x, 3) for x in one) for one in made], file=sys.stderr)
        greedy, last = np.array(made).T
        figure = f"{greedy.mean():.3f} ({greedy.min():.3f})"
        yield table_row(task.env, str(task.episodes), rule, figure, f"{last.mean():.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default=",".join(TASKS), help="names with commas")
    parser.add_argument("--seeds", type=read_seeds, default="0..4", help="A..B, or with commas")
    parser.add_argument("--rates", help="of hidden layer and output, such as 0.004,0.002")
    parser.add_argument("--page", type=Path, help="write the table between its marks in this page")
    arguments = parser.parse_args()
    rates = None
    if arguments.rates:
        hidden, output = map(float, arguments.rates.split(","))
        rates = hidden, output
    tasks = arguments.tasks.split(",")
    for name in tasks:
        check_name("--tasks", name, TASKS)
    table = [*HEADER, *(row for name in tasks for row in rows(name, arguments.seeds, rates))]
    print(*table, sep="\n")
    if arguments.page:
        put_between(arguments.page, "rules of statements", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
