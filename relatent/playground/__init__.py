"""The page: what a service can do, to be tried in a browser. Needs `relatent[playground]`.

`tabs` has a room for each tab, `parts` what several of them are made of. What has no `gradio` in it is tested
without a browser.
"""
