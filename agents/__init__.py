"""agents: PPO and DQN on any id, policies saved without pickle, the zoo. Importing it loads no torch."""
