"""Effects of interventions as labelled tables."""
