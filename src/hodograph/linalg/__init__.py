"""How matrices are factored: pure functions."""
