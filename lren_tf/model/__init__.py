"""LREN as a Keras model: network, fitted state, scoring, export."""
