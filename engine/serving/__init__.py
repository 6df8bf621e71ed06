"""The engine's side of the pipe: lines, requests in their order, what is done for each."""
