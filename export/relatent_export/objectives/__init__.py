"""What refinement minimises. An objective is per-sample losses in PyTorch; nothing else knows it."""
