"""Does an agent that learned in the dream win in the real game, and what would it have learned without the dream?

arms, run           what is trained and where, and all of it, resumably
outcome             what came of it, on disk
figures             transfer ratio, improvement, exploitation, each with its interval
table, pictures     the same for people
setting, command    the stage
temperatures        another stage: the same for dreams of several temperatures
"""
