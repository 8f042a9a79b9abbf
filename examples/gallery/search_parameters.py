"""
Search parameters
=================

Let Optuna choose a rule and its rates, each setting judged by several seeds and ended early if they
are below the median.
"""

import tempfile

import matplotlib.pyplot as plt

from neurorl.lab.search import Search
from neurorl.lab.sweeping import run_search

search = Search.read(
    {
        "env": "neurorl/Bandit-v0",
        "seeds": "0..3",
        "episodes": 400,
        "evaluate": 0,
        "search": {
            "trials": 12,
            "space": {
                "alpha_output": {"low": 0.01, "high": 1.0, "log": True},
                "rule": {"choices": ["spikes-only", "td-stdp"]},
            },
        },
    }
)
with tempfile.TemporaryDirectory() as folder:
    outcome = run_search(search, folder)

# %%
# The table has a row for each setting and seed; pruned settings have fewer seeds. The same in a
# file, ``neurorl sweep search.toml --jobs 2``, makes the same table to the last byte.
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for rule, color in (("spikes-only", "tab:blue"), ("td-stdp", "tab:orange")):
    rows = [row for row in outcome.rows if row["rule"] == rule]
    rates = [row["set.alpha_output"] for row in rows]
    axes.semilogx(
        rates, [row["mean_return_last_100"] for row in rows], "o", color=color, label=rule
    )
axes.set(xlabel="alpha_output", ylabel="mean return of the last 100")
axes.legend(frameon=False)
