"""Does an agent that learned in the dream win in the real game, and what would it have learned without the dream?

plan, arms                          what is trained, and where
run                                 train and score it all, resumably
outcome                             what came of it, on disk
figures                             transfer ratio, improvement, exploitation, each with its interval
command                             the stage
"""
