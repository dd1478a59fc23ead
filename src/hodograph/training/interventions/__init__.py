"""What perturbs training: one object each, at one named point of the trainer, off by default."""
