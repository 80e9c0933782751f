"""LREN as a Keras model."""
