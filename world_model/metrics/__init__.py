"""How good a world is: pure functions on numpy arrays, one definition for every command that prints the figure.

    intervals     a figure with its interval: bootstrap over whole episodes, Wilson and Clopper-Pearson for shares
    psnr          errors of frames, in all pixels and in those that move
    gain          decibels over a prediction that knows nothing, such as copying the last frame
    things        is the ball there, is it there twice, is it where it should be
    events        rewards and ends that come, come late, or never came: F1 with a tolerance
    calibration   are probabilities what they say: Brier score, reliability, expected calibration error
    control       does the paddle obey
    futures       several dreams of one moment: energy score, and the rank of what came among them
    lanes         when a long dream died: frozen, blank, without ball, without scores
    score         does the score in the picture move with the rewards, and do games end where they must

Nothing here reads a file, draws from a global generator, or knows what made the arrays: neither a network nor an
environment. What is counted per case comes back per case, so that an interval can be taken over episodes.

Letters of the shape suffixes: B cases side by side (frames, windows, starts), H rows, W columns, C channels, T steps in
a row, E rows of sums (episodes, rollouts), G games, D coordinates, M futures of one moment, R ranks, N anything else
counted.
"""
