"""Who may call, and how it is known: keys, certificates, and what happens to those who may not."""
