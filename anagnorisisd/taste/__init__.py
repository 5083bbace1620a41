"""Learning the listener's taste: training, predictions, explanations."""
