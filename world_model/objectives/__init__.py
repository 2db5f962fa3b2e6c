"""What the dynamics are trained for: each objective a small function with the names of its equation."""
