"""Steps of a training loop or a rollout, kept so that they can be shown and run again."""
