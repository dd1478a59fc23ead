"""A paper's claims as tests on a study's tables, declared before it runs."""
