"""Orderings of a study's arms, and what accounts for each: seeds, displacement, storage."""
