"""Train and evaluate as commands do, with run directories and plots."""
