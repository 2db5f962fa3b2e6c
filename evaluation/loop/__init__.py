"""From nothing to an agent, with few steps of the real game: play, record, learn, dream, play better.

rounds          one round: what it records, learns and trains, resumably
page            what a person looks at
command         the stage
"""
