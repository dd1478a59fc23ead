"""Comparing runs: arms and seeds."""
