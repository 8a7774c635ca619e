"""The side with the screen: asks an agent over a link that may be lost, and keeps the answers."""
