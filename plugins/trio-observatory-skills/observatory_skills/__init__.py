"""Skills for the agents of Observatory."""
