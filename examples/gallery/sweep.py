"""
Sweep settings and seeds
========================

Train every setting of a grid with several seeds, side by side, and compare what they reach.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np

from neurorl.lab.sweep import Sweep
from neurorl.lab.sweeping import run_sweep

sweep = Sweep.grid(
    {
        "env": "neurorl/Bandit-v0",
        "seeds": "0..4",
        "episodes": 300,
        "evaluate": 0,
        "rule": ["spikes-only", "reward-stdp"],
        "set": {"alpha_output": [0.3, 1.2]},
    }
)
with tempfile.TemporaryDirectory() as folder:
    with ThreadPoolExecutor(1) as executor:  # or processes, or a cluster
        outcome = run_sweep(sweep, folder, executor=executor)
print(len(outcome.rows), "rows; columns:", ", ".join(sorted(outcome.rows[0])))

# %%
# A row for each setting and seed: the bars are means, the dots seeds.
settings: dict[str, list[float]] = {}
for row in outcome.rows:
    name = f"{row['rule']}\nalpha_output {row['set.alpha_output']}"
    settings.setdefault(name, []).append(float(row["mean_return_last_100"]))
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for k, returns in enumerate(settings.values()):
    axes.bar(k, np.mean(returns), color="C0", alpha=0.4)
    axes.plot(np.full(len(returns), k), returns, "o", color="C0")
axes.set_xticks(range(len(settings)), list(settings), fontsize=8)
axes.set_ylabel("mean return of the last 100")
