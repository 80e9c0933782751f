"""Evaluation of score maps against ground truth, thresholds and detections."""
