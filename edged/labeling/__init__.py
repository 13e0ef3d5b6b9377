"""Pure functions: a frame to a tensor, scores to labels."""
