"""What is shown: figures and pages, from tables alone."""
