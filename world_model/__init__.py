"""world_model: tokenizer, dynamics, outcome, simulator, bundle, training. Nothing here yet."""
