"""Attack a training as a hostile machine, a hostile file or bad luck can.

Every case ends in a clean resume, equal by hash to a run that nobody disturbed, or in one line
and exit status 2, with what was there before unharmed. Nothing here measures wall time.

- ``test_kill_events.py``: SIGKILL before every event of a file of a training: one run, several
  seeds, a run that is extended, one that is resumed, and a library that is compiled.
- ``test_kill_moments.py``: killed at random moments, on all backends and engines, with several
  seeds, learning on the chip, by gradients, of all models.
- ``test_disk.py``: the disk is full, read-only or forbidden at each write, and for each writer.
- ``test_two_processes.py``: two processes on one run, and on one entry of a cache.
- ``test_fuzz.py``: every file, description and command line that somebody else may have written.

A short version of each is a part of ``make test``; ``make test-slow``, or ``pytest tests/attacks``
with ``-s`` to see the figures, runs all of it. `attacker` in ``tests/support`` has the means.
"""
