"""What every backend promises, as tests."""
