"""What the layers see: the second moments of their inputs over prompts, from a loaded model."""
