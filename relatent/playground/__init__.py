"""The page: what a service can do, to be tried in a browser. Needs `relatent[playground]`."""
