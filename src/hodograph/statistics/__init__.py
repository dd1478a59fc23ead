"""What may be said from several layers: intervals and tests, on plain arrays."""
