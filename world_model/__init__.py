"""world_model: tokenizer, dynamics, outcome, simulator, bundle, training, metrics.

Knows nothing of Gymnasium or an emulator.

Letters of the shape suffixes: B lanes or rows, T steps in a row, X rows of all lanes and steps side by side, C
channels, H and W a frame's height and width, N tokens of a frame, D numbers in a token, E width of the network, L
layers that look back in time, heads H beside M, R places of the memory ring, M width of one head's entry in it, K ticks
of a step.
"""
