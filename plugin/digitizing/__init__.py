"""The object under way, from the first click until it is accepted."""
