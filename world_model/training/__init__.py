"""training: one loop for every stage of the world model, resumable to the bit, on one process or many."""
