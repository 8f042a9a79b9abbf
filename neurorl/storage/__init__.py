"""Keep what users have in files: whole or not at all, as data and never as code."""
