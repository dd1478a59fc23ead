"""Comparing runs: stages they start from, arms, seeds; trained, measured, put side by side."""
