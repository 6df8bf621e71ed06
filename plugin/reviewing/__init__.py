"""What the model proposes, looked through by the user: nothing is the layer's before it is accepted."""
