"""The paper's experiments: what to run, what was published, how to show both."""
