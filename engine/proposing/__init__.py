"""Objects that nobody clicked: where they may be, what is found there, which of it is meant."""
