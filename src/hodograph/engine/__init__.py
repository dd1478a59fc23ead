"""Running a measurement."""
