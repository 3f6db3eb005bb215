"""How the bundled model is made: scenes, captions, training, evaluation. Imports run upward only."""
