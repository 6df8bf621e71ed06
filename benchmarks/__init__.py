"""What is measured, each module a command."""
