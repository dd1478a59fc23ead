"""Adapters: made from a run's early update, trained in place of the weights, kept for PEFT."""
