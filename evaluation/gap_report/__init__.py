"""The gap report, piece by piece; `evaluation.gap` and `neural-env gap` run it.

    profile, contestants, matches      how much is played, by whom, from which moments
    sides, play, gather, episodes      the games of both sides in lanes, and the table of what came of them
    dreamers, rollouts, eyes, inverse  what can be told which ticks to play, and who looks at the frames
    returns, events                    tracks A and B, from the table
    frames, control, outcomes          tracks C, D and E
    transfer, speed                    tracks F and G
    metric, verdict, report            a figure with floor and null, the rules, the whole
    run, command                       everything in order, and the stage
    charts, page                       what it looks like

Formulas are in `world_model.metrics`; here is who plays what, and which floor and null belong to which figure.
"""
