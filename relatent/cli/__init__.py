"""The command `relatent`. One module a command; `relatent.cli.main` puts them together."""
