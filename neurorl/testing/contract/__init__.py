"""Test what every backend promises."""
