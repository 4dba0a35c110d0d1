"""The tabs of the page, a room each: `tab` is what is on the screen, the rest is what it does."""
