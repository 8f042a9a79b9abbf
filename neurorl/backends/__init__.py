"""Hold the simulators behind `neurorl.backends.base.Backend`, one package each."""

if __name__ != "neurorl.backends":
    raise ImportError(f"import this folder as 'neurorl.backends', not {__name__!r}")
