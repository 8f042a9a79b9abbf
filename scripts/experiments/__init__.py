"""The tables and figures of docs/learning.md: experiments, their runs, their pages."""
