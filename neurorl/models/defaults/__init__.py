"""Choose what nobody said: cells, features and rates, by the task and a first play."""
