"""Tests that need the stand-in for NxSDK run in a process of their own."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("NEURORL_STAND_IN") else ["stand_in"]
