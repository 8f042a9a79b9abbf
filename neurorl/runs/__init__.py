"""Training and evaluation as commands do them, with run directories and plots."""
