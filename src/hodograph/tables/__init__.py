"""What is kept: declared columns, the run folder, aggregation."""
