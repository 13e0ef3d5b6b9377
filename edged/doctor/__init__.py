"""What this machine has and lacks. One module a subject, each from a `Machine` to its checks; `run.py` lists them."""
