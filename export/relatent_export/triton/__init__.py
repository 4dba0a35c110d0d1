"""Model repositories for Triton: targets, configurations, folders."""
