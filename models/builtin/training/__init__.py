"""How the built-in network is taught: scenes, samples, simulated clicks, the run itself, and when its weights graduate."""
