"""How fast layers are: benchmarks, the floor and the rivals they are compared with, calibration."""
