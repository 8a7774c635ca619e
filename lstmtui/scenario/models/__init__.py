"""[[model]]: the models of a scenario, with their weights."""
