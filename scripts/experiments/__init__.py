"""Run the experiments of docs/learning.md, and make its tables and figures."""
