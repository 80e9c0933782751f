"""Score maps judged against ground truth and cut into detections."""
