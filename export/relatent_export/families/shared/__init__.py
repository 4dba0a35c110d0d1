"""What the files of several families have in common: reading one published layout or another by its names."""
