"""Playing a dream, its real game, or both side by side: in a window, on a page in the browser, or without a screen.

    playground -> session -> window | headless | server

`Session` is the game itself and knows nothing of screens, keys or sockets; the three faces show it. Policies come from
outside, as functions that make them.
"""
