"""What the Makefile and the checks run."""
